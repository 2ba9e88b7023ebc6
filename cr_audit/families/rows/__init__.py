"""What was read: rows that could not be used, and rows that were used with a remark."""
