"""The weighting schemes, one file each."""
