"""What a rule advises can be done: every command and option that it names exists."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from cr_audit.cli.app import make_app
from cr_audit.cli.explain import known_rules
from cr_audit.findings import Rule

COMMAND = re.compile(r"cr-audit ([a-z]+)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


@pytest.mark.parametrize("rule", known_rules(), ids=lambda r: r.id)
def test_advice_names_commands_and_options_that_exist(rule: Rule) -> None:
    commands = get_command(make_app()).commands  # type: ignore[attr-defined]
    known = {
        name
        for command in commands.values()
        for option in command.params
        for name in (*option.opts, *option.secondary_opts)
    }
    for text in (rule.advice, rule.means, rule.computed):
        assert set(COMMAND.findall(text)) <= set(commands), text
        assert set(OPTION.findall(text)) <= known, text
        assert "exported weights" not in text or "cr-audit export" in text, text
