"""``cr-audit gate``."""

from __future__ import annotations

from cr_audit.commands import Command

COMMANDS: tuple[Command, ...] = ()
