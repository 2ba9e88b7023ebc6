"""Which predictions and which answers hang on a few votes."""
