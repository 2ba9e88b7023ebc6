"""Which predictions and answers hang on a few votes, and what to collect to settle them."""
