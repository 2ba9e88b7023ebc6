"""Numerics of rewards, lists and sensitivity: integer and float arrays in, frozen results out."""
