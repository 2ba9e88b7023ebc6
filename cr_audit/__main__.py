"""``python -m cr_audit``."""

from cr_audit.cli.app import main

main()
