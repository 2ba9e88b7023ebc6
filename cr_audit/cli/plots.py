"""``--plot FILE``: SVG or PNG, by the ending of the file's name."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from cr_audit.errors import ComputeError, UsageError
from cr_audit.files import write_whole

HELP = ".svg or .png; may be given twice"


def check_plots(plots: Sequence[Path]) -> None:
    """Before any work: a picture that cannot be drawn is an error."""
    for plot in plots:
        if plot.suffix.lower() not in (".svg", ".png"):
            raise UsageError(
                "plot-format",
                "--plot draws .svg and .png only",
                found=str(plot),
                next_step="name a file that ends in .svg or .png",
            )
        if plot.suffix.lower() == ".png":
            from cr_audit.write.png import REQUIREMENTS, png_is_possible

            if not png_is_possible():
                raise ComputeError(
                    "png-not-installed",
                    "PNG needs packages that are not installed",
                    found=str(plot),
                    next_step=f"pip install {shlex.join(REQUIREMENTS)}, or name an .svg file",
                )


def write_plots(svg: str, plots: Sequence[Path]) -> None:
    """``svg``, or a PNG of it, into files that ``check_plots`` let pass."""
    for plot in plots:
        if plot.suffix.lower() == ".png":
            from cr_audit.write.png import to_png

            content = to_png(svg)
        else:
            content = svg.encode()
        write_whole(content, plot, option="--plot")
