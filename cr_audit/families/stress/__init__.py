"""Clones injected into the user's own data, and what they do to both rankings."""
