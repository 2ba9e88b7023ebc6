"""What was read: alternatives identified by content, comparisons and choice sets with provenance."""
