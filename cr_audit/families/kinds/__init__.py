"""Kinds of answer: groups in meaning, how they fare against everything else, what weights say."""
