"""What a next step says, done: where each is made in the code, and which were followed.

A place that makes an error with a next step is a call with the argument ``next_step``. While a test
asks for the advice of a wrong command, every place that was on the stack when an error was made is
remembered; when the test has done what was advised, they count as followed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest

import cr_audit
from cr_audit.errors import CrAuditError

ROOT = Path(cr_audit.__file__).parent
FOLLOWED: set[tuple[str, int]] = set()
"""File and line of calls that were on the stack of an error whose advice was taken."""


class Place(NamedTuple):
    """A call with a next step: its file below the package, its lines, its slug and its advice."""

    file: str
    first: int
    last: int
    slug: str
    step: str

    @property
    def name(self) -> str:
        """A name that stays when lines move: file, slug and the beginning of the advice."""
        return f"{self.file} {self.slug} {self.step[:36]}"


def places() -> Iterator[Place]:
    """Every place of the package, in the order of its files."""
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            step = next((k.value for k in node.keywords if k.arg == "next_step"), None)
            if step is None or (isinstance(step, ast.Constant) and step.value is None):
                continue
            slug = node.args[0] if node.args else None
            said = ast.unparse(slug) if slug is not None else ""
            yield Place(
                path.relative_to(ROOT).as_posix(),
                node.lineno,
                node.end_lineno or node.lineno,
                said.strip("'"),
                ast.unparse(step),
            )


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[tuple[str, int]]]:
    """The calls on the stack of every error that is made inside."""
    seen: set[tuple[str, int]] = set()
    made = CrAuditError.__init__

    def remembered(self: CrAuditError, *args: Any, **named: Any) -> None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(ROOT):
                seen.add((path.relative_to(ROOT).as_posix(), frame.f_lineno))
            frame = frame.f_back
        made(self, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(CrAuditError, "__init__", remembered)
        yield seen
