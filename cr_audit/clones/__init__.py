"""Approximate clones: what a text looks like to a reader, and copies that noise tries to hide."""
