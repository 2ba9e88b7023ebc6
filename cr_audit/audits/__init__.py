"""Facts in, findings out: one small file per audit."""
