"""``clones``, ``weights``, ``winrates``: a part of a scan in depth; ``embed``: its slow part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cr_audit.cli import options as o

if TYPE_CHECKING:
    from cr_audit.cli.session import Session


@o.reads_data
def clones(
    session: Any,
    output: Path | None,
    format_: o.FormatOption = o.Format.TABLE,
    full_text: o.FullText = False,
    top: Annotated[int, typer.Option("--top", min=1, help="How many clusters to show.")] = 50,
    diffs: Annotated[int, typer.Option("--diffs", min=0, help="How many word diffs.")] = 5,
) -> None:
    """Every clone cluster with its members, and word diffs of the furthest two.

    Example: cr-audit clones prefs.jsonl --top 100 --diffs 20
    """
    from cr_audit.report.clone_tables import clone_section

    _part(
        session,
        output,
        format_,
        full_text,
        lambda a, s: clone_section(a, s, limit=top, diffs=diffs, members=True),
    )


@o.reads_data
def weights(
    session: Any,
    output: Path | None,
    format_: o.FormatOption = o.Format.TABLE,
    full_text: o.FullText = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Measure all schemes and spaces on this data.")
    ] = False,
    top: Annotated[int, typer.Option("--top", min=1, help="How many alternatives to show.")] = 20,
) -> None:
    """How much each alternative weighs, and how the schemes compare on your own data.

    Example: cr-audit weights prefs.jsonl --compare
    """
    from cr_audit.report.weight_tables import comparison_section, heaviest_section, weight_section

    def sections(analysis: Any, screen: Any) -> list[Any]:
        parts = weight_section(analysis) + heaviest_section(analysis, limit=top)
        if compare:
            from cr_audit.analysis.compare import compare_schemes

            parts += comparison_section(*compare_schemes(analysis))
        return parts

    _part(session, output, format_, full_text, sections)


@o.reads_data
def winrates(
    session: Any,
    output: Path | None,
    format_: o.FormatOption = o.Format.TABLE,
    full_text: o.FullText = False,
    top: Annotated[int, typer.Option("--top", min=1, help="How many items to show.")] = 50,
) -> None:
    """Win rates before and after weighting, with ranks, errors and intervals.

    Example: cr-audit winrates prefs.jsonl --unit model --top 100
    """
    from cr_audit.report.win_rate_tables import win_rate_section

    _part(
        session,
        output,
        format_,
        full_text,
        lambda a, s: [p for u in a.units for p in win_rate_section(u, s, limit=top)],
    )


@o.reads_data
def embed(session: Any, output: Path | None) -> None:
    """Fill the embedding cache, with progress; stop and start it as you like.

    Example: cr-audit embed prefs.jsonl --model all-MiniLM-L6-v2
    """
    from cr_audit.cli.session import write

    write(session.embed_only(), output)


def _part(session: Session, output: Path | None, format_: str, full: bool, sections: Any) -> None:
    from cr_audit.audits import run_audits
    from cr_audit.cli.session import write
    from cr_audit.report.rendering import render
    from cr_audit.report.screen import Screen
    from cr_audit.report.terminal import render_part

    analysis = session.analyse()
    if format_ == o.Format.TABLE:
        screen = Screen.of_stdout() if output is None else Screen(100, False)
        write(render_part(analysis, session.command, sections(analysis, screen), screen), output)
        return
    findings = run_audits(analysis)
    write(
        render(
            analysis,
            findings,
            format_,
            session.command,
            session.resolved.sources,
            reading=session.resolved.read,
            full_text=full,
            to_file=output is not None,
        ),
        output,
    )
