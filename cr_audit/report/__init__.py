"""Facts and findings in, bytes out. Nothing from the data is ever interpreted here."""
