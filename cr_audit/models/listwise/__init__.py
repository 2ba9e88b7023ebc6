"""Choices among lists: logits, tests of IIA, rankings, and the theory of the wrong sign."""
