"""Near-copies: the search for them, clusters of bounded diameter, and how their votes agree."""
