"""Five additions in one file each, as CONTRIBUTING.md shows them; tests/test_extension.py runs them."""
