"""What the marks of a ranking change promise, measured where they could fail."""
