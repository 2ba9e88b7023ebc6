"""``cr-audit refit``: standard against weighted rewards, and which changes are real."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cr_audit.cli import options as o
from cr_audit.cli.plots import HELP, check_plots, write_plots
from cr_audit.errors import ComputeError, UsageError

if TYPE_CHECKING:
    from cr_audit.analysis import Analysis
    from cr_audit.cli.session import Session

Plots = Annotated[
    list[Path] | None,
    typer.Option(
        "--plot", help=f"Also draw both rankings into this file ({HELP}).", rich_help_panel=o.OUT
    ),
]


@o.fits_rewards
def refit(
    session: Any,
    output: Path | None,
    weighted: Annotated[
        bool, typer.Option("--weighted", help="The weighted fit first; it must be possible.")
    ] = False,
    standard: Annotated[
        bool, typer.Option("--standard", help="The standard fit alone; needs no vectors.")
    ] = False,
    format_: o.FormatOption = o.Format.TABLE,
    full_text: o.FullText = False,
    plot: Plots = None,
    fail_on: o.FailOnOption = o.FailOn.NEVER,
    exit_zero: o.ExitZero = False,
) -> None:
    """Fit rewards with uniform and with clone-robust weights, and flag the changes that are real.

    Without FILE: the files of the settings file, else the last ones read.

    Examples:

      cr-audit refit prefs.jsonl

      cr-audit refit --weighted --fail-on error

      cr-audit refit prefs.jsonl --unit model --penalty auto --plot ranks.svg
    """
    if weighted and standard:
        raise UsageError(
            "both-fits",
            "--weighted and --standard exclude each other",
            next_step="leave out both for both fits, the standard one first",
        )
    check_plots(plot or [], output)
    from cr_audit.analysis.fit_weights import RECOMMENDED
    from cr_audit.analysis.refit import refit as fit_both
    from cr_audit.audits import run_audits
    from cr_audit.cli.session import exit_code, progress_bar, write
    from cr_audit.report.rendering import render

    run: Session = session
    found = run.analyse()
    with progress_bar(enabled=not run.quiet) as report:
        analysis = fit_both(
            found,
            fits="weighted" if weighted else "standard" if standard else "both",
            scheme=RECOMMENDED if run.resolved.sources["weights"] == "default" else None,
            progress=report,
        )
    findings = run_audits(analysis)
    text = render(
        analysis,
        findings,
        format_,
        run.command,
        run.resolved.sources,
        full_text=full_text,
        to_file=output is not None,
    )
    if plot:
        _draw(analysis, plot)
    write(text, output)
    raise typer.Exit(exit_code(findings, fail_on, exit_zero))


def _draw(analysis: Analysis, plots: Sequence[Path]) -> None:
    from cr_audit.arrays import NotApplicable
    from cr_audit.report.rewards import render_svg

    picture = render_svg(analysis)
    if isinstance(picture, NotApplicable):
        raise ComputeError(
            "nothing-to-draw",
            f"--plot has nothing to draw: {picture.reason}",
            next_step="leave out --plot",
        )
    write_plots(picture, plots)
