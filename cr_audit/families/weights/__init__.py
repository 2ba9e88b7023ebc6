"""How much each alternative counts, how well that is known, and schemes beside each other."""
