"""Answers to one prompt that say the same in other words, at a false-positive rate asked for."""
