"""Win rates before and after weighting, and which changes of rank are real."""
