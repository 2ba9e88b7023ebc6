"""Ways out: what can be made of the data that was audited, one file per exit.

An exit is registered by one call of ``register``; its name then stands behind ``--as``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cr_audit.export.outcome import Exported
    from cr_audit.run import Run


@dataclass(frozen=True, slots=True)
class Exit:
    """One way out. module : where ``export(run, path) -> Exported`` is, imported when it is used.
    suffixes : of the files that it writes, () for a folder."""

    name: str
    help: str
    module: str
    suffixes: tuple[str, ...] = (".jsonl", ".csv", ".parquet")

    def export(self, run: Run, path: Path) -> Exported:
        """Write ``path``; what came out of it."""
        made: Exported = import_module(self.module).export(run, path)
        return made


EXITS: dict[str, Exit] = {}


def register(exit_: Exit) -> None:
    """Add an exit. Raises ValueError for a name that is taken."""
    if exit_.name in EXITS:
        raise ValueError(f"there is an exit {exit_.name!r} already")
    EXITS[exit_.name] = exit_


TRAINERS = {
    "trl": "TRL",
    "openrlhf": "OpenRLHF",
    "axolotl": "axolotl",
    "llama-factory": "LLaMA-Factory",
    "ms-swift": "ms-swift",
}
"""Trainers whose layouts are written and whose loaders are known."""

_HERE = "cr_audit.export"
for _exit in (
    Exit("rows", "the rows that were read, with weights, clusters and flags", f"{_HERE}.rows"),
    Exit("clean", "the rows without copies, repeats and contradictions", f"{_HERE}.clean"),
    Exit("resample", "rows drawn in proportion to their weight", f"{_HERE}.resample"),
    *(
        Exit(name, f"pairs in the layout of {title}", f"{_HERE}.layouts", (".jsonl", ".parquet"))
        for name, title in TRAINERS.items()
    ),
    Exit("datasets", "a Hugging Face folder with a card", f"{_HERE}.folder", ()),
):
    register(_exit)
