"""Five additions, one file each, as CONTRIBUTING.md shows them (tests/test_extension.py)."""
