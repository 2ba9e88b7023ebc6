"""Kinds of prompt: what is asked, how much of the data each kind holds, and who wins in it."""
