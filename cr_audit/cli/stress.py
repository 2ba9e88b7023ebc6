"""``cr-audit stress``: how many clones it takes to bend the rankings of the user's own data."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cr_audit.cli import options as o

if TYPE_CHECKING:
    from cr_audit.cli.session import Session


class StressFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


STRESS = "Stress"


@o.fits_rewards
def stress(
    session: Any,
    output: Path | None,
    clones: Annotated[
        int,
        typer.Option("--clones", min=1, max=1000, help="How many to add.", rich_help_panel=STRESS),
    ] = 20,
    find_flip: Annotated[
        bool,
        typer.Option(
            "--find-flip",
            help="Also search the fewest clones, and the fewest comparisons taken away, that"
            " change the leader.",
            rich_help_panel=STRESS,
        ),
    ] = False,
    max_clones: Annotated[
        int,
        typer.Option(
            "--max-clones",
            min=1,
            max=10_000,
            help="Where --find-flip gives up.",
            rich_help_panel=STRESS,
        ),
    ] = 100,
    format_: Annotated[
        StressFormat, typer.Option("--format", help="What to print.", rich_help_panel=o.OUT)
    ] = StressFormat.TABLE,
) -> None:
    """Add clones to your own data and see whether the standard or the weighted ranking gives way.

    Examples:

      cr-audit stress prefs.jsonl

      cr-audit stress prefs.jsonl --unit model --clones 5 --find-flip
    """
    from cr_audit.analysis import analyse
    from cr_audit.analysis.fit_weights import RECOMMENDED
    from cr_audit.cli.session import progress_bar, write
    from cr_audit.embed import PrecomputedVectors, embed_texts
    from cr_audit.report.screen import Screen
    from cr_audit.simulate.stress import stress as run_stress

    run: Session = session
    dataset = run.read()
    cache, backend = run.cache(), run.backend(dataset)
    with progress_bar(enabled=not run.quiet) as report:
        analysis = analyse(
            dataset, run.resolved.analysis, backend=backend, cache=cache, progress=report
        )
        encoder = None if isinstance(backend, PrecomputedVectors) else backend
        encode = None if encoder is None else lambda texts: embed_texts(encoder, texts, cache=cache)
        facts = run_stress(
            analysis,
            encode,
            n_clones=clones,
            find_flip=find_flip,
            max_clones=max_clones,
            scheme=RECOMMENDED if run.resolved.sources["weights"] == "default" else None,
            progress=report,
        )
    if format_ == StressFormat.JSON:
        from cr_audit.report.stress_json import render_stress_json

        write(render_stress_json(analysis, facts, run.resolved.sources, run.resolved.read), output)
        return
    from cr_audit.report.stress import render_stress

    screen = Screen.of_stdout() if output is None else Screen(100, False)
    write(render_stress(facts, run.files, screen), output)
