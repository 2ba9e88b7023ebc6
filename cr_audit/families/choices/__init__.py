"""Lists of alternatives and what was chosen of them: is IIA safe to assume, and what if not."""
