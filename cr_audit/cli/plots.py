"""``--plot FILE``: SVG or PNG, by the ending of the file's name."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from cr_audit.errors import ComputeError, UsageError

HELP = ".svg or .png; may be given twice"


def check_plots(plots: Sequence[Path], output: Path | None) -> None:
    """Before any work: a picture that cannot be drawn is an error."""
    for k, plot in enumerate(plots):
        _check(plot, output)
        if plot.absolute() in (p.absolute() for p in plots[:k]):
            raise UsageError(
                "same-file",
                "--plot names one file twice",
                found=str(plot),
                next_step="name two files",
            )


def _check(plot: Path, output: Path | None) -> None:
    if plot.suffix.lower() not in (".svg", ".png"):
        raise UsageError(
            "plot-format",
            "--plot draws .svg and .png only",
            found=str(plot),
            next_step="name a file that ends in .svg or .png",
        )
    if output is not None and output.absolute() == plot.absolute():
        raise UsageError(
            "same-file",
            "--plot and -o name the same file",
            found=str(plot),
            next_step="name two files",
        )
    if plot.suffix.lower() == ".png":
        from cr_audit.report.png import REQUIREMENTS, png_is_possible

        if not png_is_possible():
            raise ComputeError(
                "png-not-installed",
                "PNG needs packages that are not installed",
                found=str(plot),
                next_step=f"pip install {shlex.join(REQUIREMENTS)}, or name an .svg file",
            )


def write_plots(svg: str, plots: Sequence[Path]) -> None:
    """``svg``, or a PNG of it, into files that ``check_plots`` let pass."""
    from cr_audit.cli.session import write_file
    from cr_audit.report.png import to_png

    for plot in plots:
        is_png = plot.suffix.lower() == ".png"
        write_file(to_png(svg) if is_png else svg.encode(), plot, option="--plot")
