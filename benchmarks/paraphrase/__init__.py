"""Paraphrases: what is found at which strength, at which false-positive rate, and by the gate."""
