"""``cr-audit simulate``: seeded, invented data with a known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cr_audit.errors import UsageError


def simulate(
    name: Annotated[str, typer.Argument(help="Which simulation: clone-robust.")],
    write: Annotated[
        Path, typer.Option("--write", help="Where to write the JSONL data set.")
    ] = Path("clone_robust.jsonl"),
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Random seed.")] = None,
    clones: Annotated[
        int | None, typer.Option("--clones", min=0, help="How many clones to plant.")
    ] = None,
) -> None:
    """Write a seeded, invented data set in which clones flip the winner.

    Example: cr-audit simulate clone-robust --write demo.jsonl && cr-audit scan demo.jsonl
    """
    if name != "clone-robust":
        raise UsageError(
            "unknown-simulation",
            f"there is no simulation {name!r}",
            next_step="cr-audit simulate clone-robust --write demo.jsonl",
        )
    from cr_audit.simulate import clone_robust

    options = {k: v for k, v in (("seed", seed), ("clones", clones)) if v is not None}
    clone_robust.write(write, **options)
    typer.echo(f"wrote {write}; look at it with: cr-audit scan {write}")
