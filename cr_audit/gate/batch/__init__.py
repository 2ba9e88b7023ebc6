"""What can be said about a batch: its rows, the copies in it, what it does to the ranking."""
