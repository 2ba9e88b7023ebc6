"""cr-audit: find clones in preference data, weigh them, and see which rankings they bend."""

__version__ = "0.1.0"
