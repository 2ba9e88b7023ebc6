"""Where reports go: formats and files of one run, checked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cr_audit.cli.plots import check_plots, write_plots
from cr_audit.errors import ComputeError, UsageError
from cr_audit.files import check_place, write_stdout, write_whole
from cr_audit.write import WRITERS, Target, format_of

if TYPE_CHECKING:
    from cr_audit.reports import Report


@dataclass(frozen=True, slots=True)
class Outputs:
    """reports : (format, file or None for stdout), in order. plots : pictures beside them."""

    reports: tuple[tuple[str, Path | None], ...]
    plots: tuple[Path, ...]
    full_text: bool
    details: bool = False

    @property
    def files(self) -> list[Path]:
        """Every file that will be written."""
        return [path for _, path in self.reports if path is not None] + list(self.plots)

    def check(self) -> None:
        """Raise ComputeError for a file that could not be written in the end."""
        for _, path in self.reports:
            if path is not None and (not path.exists() or path.is_file()):
                check_place(path, option="-o")
        for path in self.plots:
            check_place(path, option="--plot")

    def write(self, report: Report) -> None:
        """Pictures first, then the reports in order."""
        if self.plots:
            _draw(report, self.plots)
        for name, path in self.reports:
            if path is None:
                from cr_audit.write.terminal import target_of_stdout

                target = target_of_stdout(full_text=self.full_text, details=self.details)
            else:
                target = Target(full_text=self.full_text, details=self.details)
            parts = WRITERS[name].parts(report, target)
            if path is None:
                write_stdout(parts, people=name == "table")
            else:
                encoded = (text.encode("utf-8", "backslashreplace") for text in parts)
                write_whole(encoded, path, option="-o")

    def remove(self) -> None:
        """Take away an earlier run's reports, which must not be taken for those of this run."""
        for path in self.files:
            if path.is_file() and not path.is_symlink():
                path.unlink()


def outputs_of(
    format_: str | None,
    output: Path | None,
    reports: Sequence[str],
    plots: Sequence[Path],
    *,
    full_text: bool = False,
    details: bool = False,
    default: str = "table",
) -> Outputs:
    """What ``--format``, ``-o``, ``--report`` and ``--plot`` ask for together.

    The main report is left out where another one goes to stdout and no -o names a file for it.
    Raises UsageError for an unknown format or suffix and for two reports in one place.
    """
    out = [_asked(text) for text in reports]
    if output is not None or all(path is not None for _, path in out):
        name = format_ or (default if output is None else format_of(output))
        out.insert(0, (name, output))
    if sum(path is None for _, path in out) > 1:
        raise UsageError(
            "two-reports-on-stdout", "only one report can go to stdout", next_step="name files"
        )
    check_plots(plots)
    made = Outputs(tuple(out), tuple(plots), full_text, details)
    places = [os.path.realpath(path) for path in made.files]
    twice = next((p for p in places if places.count(p) > 1), None)
    if twice is not None:
        raise UsageError(
            "two-reports-in-a-file",
            "two reports would go to one file",
            found=twice,
            next_step="name a file for each",
        )
    return made


def _asked(text: str) -> tuple[str, Path | None]:
    name, sep, target = text.partition("=")
    if not sep or not target or name not in WRITERS:
        raise UsageError(
            "bad-report",
            "--report wants FORMAT=FILE",
            found=text,
            next_step=f"formats: {', '.join(WRITERS)}; - is stdout",
        )
    return name, None if target == "-" else Path(target)


def refuse_inputs(outputs: Iterable[Path], inputs: Iterable[str | Path]) -> None:
    """Raise UsageError for an output that is, or links to, a file that is read."""
    read = [Path(name) for name in inputs if str(name) != "-"]
    for output in outputs:
        for source in read:
            if _same(output, source):
                raise UsageError(
                    "report-on-input",
                    "a report would replace a file that is read",
                    found=str(output),
                    next_step="name another file for the report",
                )


def refuse_cache(outputs: Iterable[Path]) -> None:
    """Raise UsageError for an output inside the cache folder, whose files are ours to replace."""
    from cr_audit.embed import default_cache_dir

    cache = Path(os.path.realpath(default_cache_dir()))
    for output in outputs:
        if Path(os.path.realpath(output)).is_relative_to(cache):
            raise UsageError(
                "report-in-cache",
                "a report would stand in the cache folder",
                found=str(output),
                next_step="name a file elsewhere",
            )


def _same(a: Path, b: Path) -> bool:
    if os.path.realpath(a) == os.path.realpath(b):
        return True
    try:
        return a.samefile(b)
    except OSError:
        return False


def _draw(report: Report, plots: Sequence[Path]) -> None:
    from cr_audit.arrays import NotApplicable

    charts = report.pictures()
    if isinstance(charts, NotApplicable):
        raise ComputeError(
            "nothing-to-draw",
            f"--plot has nothing to draw: {charts.reason}",
            next_step="leave out --plot",
        )
    from cr_audit.write.pictures import picture

    write_plots(picture(charts), plots)
