"""One folder per thing to audit."""
