"""``cr-audit scan``: everything in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cr_audit.cli import options as o

if TYPE_CHECKING:
    from cr_audit.cli.session import Session


@o.reads_data
def scan(
    session: Any,
    output: Path | None,
    format_: o.FormatOption = o.Format.TABLE,
    full_text: o.FullText = False,
    fail_on: o.FailOnOption = o.FailOn.NEVER,
    exit_zero: o.ExitZero = False,
) -> None:
    """Find clones in preference data, weigh every alternative, and show how win rates shift.

    Examples:

      cr-audit scan prefs.jsonl

      cr-audit scan train.jsonl.gz extra.csv --unit model

      cr-audit scan prefs.jsonl --map prompt=question,chosen=better,rejected=worse

      cr-audit scan prefs.jsonl --format json -o report.json --fail-on error
    """
    from cr_audit.audits import run_audits
    from cr_audit.cli.session import exit_code, write
    from cr_audit.report.rendering import render

    run: Session = session
    analysis = run.analyse()
    findings = run_audits(analysis)
    text = render(
        analysis,
        findings,
        format_,
        run.command,
        run.resolved.sources,
        reading=run.resolved.read,
        full_text=full_text,
        to_file=output is not None,
    )
    write(text, output)
    raise typer.Exit(exit_code(findings, fail_on, exit_zero))
