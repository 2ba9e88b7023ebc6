"""Texts in, unit vectors out: encoder backends behind one protocol, and a crash-safe cache."""
