"""Kinds of answer: groups in meaning, what tells them apart, and how they fare."""
