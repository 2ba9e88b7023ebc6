"""Rewards from comparisons: tabular, linear and mlp fits of one objective (docs/rewards.md)."""
