"""A report, before it has a format: what every writer may ask for, made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Picture
from cr_audit.errors import EXIT_FAILED, EXIT_OK
from cr_audit.findings import Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a command found.

    blocks : for people. document(full_text) : the object of the JSON contract, of plain values or
    wire records (``cr_audit.wire``). outcome : the findings. pictures : the charts that ``--plot``
    draws into one file, or why there are none. exit_zero : whatever was
    found. said : one line for stderr at the end. more : further blocks for who has the room, a
    browser's page, say: what a reader of a terminal would ask the next command for. own_rules : of
    what the command was asked for, beside those that every audit looks for.
    """

    command: str
    blocks: Callable[[], Sequence[Block]] = field(repr=False)
    document: Callable[[bool], dict[str, Any]] = field(repr=False)
    outcome: Outcome
    pictures: Callable[[], Sequence[Picture] | NotApplicable] = field(
        default=lambda: NotApplicable("this command draws nothing"), repr=False
    )
    exit_zero: bool = False
    said: str = ""
    more: Callable[[], Sequence[Block]] = field(default=tuple, repr=False)
    own_rules: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """What the process ends with: 0, or 1 where the outcome failed and may."""
        return EXIT_OK if self.exit_zero or self.outcome.passed else EXIT_FAILED
