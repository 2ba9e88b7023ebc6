"""Seeded generators of invented data with a known truth."""
