"""Near-copies of responses and prompts, boilerplate, and whether copies were voted on alike."""
