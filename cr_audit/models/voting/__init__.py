"""Rules that order items by their pairwise margins, and which of them clones can move."""
