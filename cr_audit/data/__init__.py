"""What was read: alternatives identified by content, judgements with provenance."""
