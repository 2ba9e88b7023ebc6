"""Facts and findings in, text out. Nothing from the data is ever interpreted here."""
