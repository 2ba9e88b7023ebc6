"""Boards of models (or any unit): places that hold, ties, judges, clones, vendors."""
