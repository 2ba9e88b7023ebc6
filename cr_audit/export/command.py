"""``cr-audit export``: a clean set, rows with weights, or rows for a trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option
from cr_audit.errors import UsageError
from cr_audit.export import EXITS, TRAINERS

if TYPE_CHECKING:
    from cr_audit.blocks import Block
    from cr_audit.export.outcome import Exported
    from cr_audit.reports import Report
    from cr_audit.run import Run

GROUP = "Export"
CONTRADICTIONS = ("majority", "drop", "keep")


def done_by(run: Run) -> Exported:
    """Write what was asked for. Raises UsageError before anything is computed."""
    target = run.options["output"]
    if target is None:
        raise UsageError(
            "no-target",
            "export wants a file to write",
            next_step="name it with -o, for example -o weighted.jsonl",
        )
    if run.options["dedupe"] and run.options["exit"] not in ("rows", "clean"):
        raise UsageError(
            "two-exits",
            "--dedupe is --as clean",
            found=f"--as {run.options['exit']}",
            next_step="clean first, then export the result with --as",
        )
    if run.options["trainer_file"] is not None and run.options["exit"] != "trl":
        raise UsageError(
            "no-trainer-file",
            "there is a trainer that reads weights for TRL alone",
            found=f"--trainer-file with --as {run.options['exit']}",
            next_step="use --as trl, or --as resample for trainers that take rows only",
        )
    name = "clean" if run.options["dedupe"] else run.options["exit"]
    done: Exported = run.once("export", lambda: EXITS[name].export(run, target))
    return done


def report(run: Run) -> Report:
    """The export, and what to say of it."""
    from cr_audit.export import show, wire
    from cr_audit.findings import outcome_of
    from cr_audit.heads import header, typed_files
    from cr_audit.reports import Report
    from cr_audit.wire import document, setting_records

    parts: dict[str, object]
    more: Callable[[], Sequence[Block]] = tuple
    if run.options["dry_run"] is not None:
        from cr_audit.export.xray import x_ray

        trainer = run.options["dry_run"]
        seen = x_ray(run, trainer)
        blocks, parts = show.x_ray(seen, trainer), {"dry_run": wire.dry_run(seen)}
        more = partial(show.x_ray_page, seen, trainer, typed_files(run.dataset))
    else:
        done = done_by(run)
        blocks, parts = show.blocks(done), {"export": wire.part(done)}
    values = {k: v for k, v in run.reading.items() if k != "files"}
    values |= {k: getattr(run.settings, k) for k in type(run.settings).__slots__}
    settings = setting_records(values, run.given.sources)
    return Report(
        command=run.command,
        blocks=lambda: [header(run.dataset, run.command), *blocks],
        document=lambda full: document("export", settings, parts, []),
        outcome=outcome_of((), (), "never", run.dataset.report.files[0].path),
        more=more,
    )


COMMANDS = (
    Command(
        "export",
        "Write what to train on: a clean set, rows with weights, or a trainer's own layout.",
        report,
        examples=(
            "cr-audit export prefs.jsonl -o weighted.jsonl",
            "cr-audit export prefs.jsonl --as clean -o clean.jsonl --dropped dropped.jsonl",
            "cr-audit export prefs.jsonl --as trl -o train.jsonl",
            "cr-audit export prefs.jsonl --dry-run axolotl",
        ),
        options=(
            Option(
                "exit",
                "choice",
                "rows",
                "What to write (docs/export.md).",
                GROUP,
                choices=tuple(EXITS),
                flags=("--as",),
            ),
            Option(
                "dry_run",
                "choice",
                None,
                "Write nothing, but show what this trainer reads, drops or reverses in these rows.",
                GROUP,
                choices=tuple(TRAINERS),
            ),
            Option("dedupe", "switch", False, "The same as --as clean.", GROUP, first=False),
            Option(
                "contradictions",
                "choice",
                "majority",
                "What becomes of a pair that one source decided both ways (clean).",
                GROUP,
                choices=CONTRADICTIONS,
            ),
            Option(
                "drop_identical",
                "switch",
                False,
                "Also drop rows whose two sides are one response (clean).",
                GROUP,
            ),
            Option(
                "drop_boilerplate",
                "switch",
                False,
                "Also drop rows with an answer that stands under many prompts (clean).",
                GROUP,
            ),
            Option(
                "dropped",
                "path",
                None,
                "Write what was dropped, with the reason (clean).",
                GROUP,
                metavar="FILE",
            ),
            Option(
                "trainer_file",
                "path",
                None,
                "Also write the weighted trainers as a Python file that needs no cr-audit (trl).",
                GROUP,
                metavar="FILE",
                first=False,
            ),
            Option(
                "size",
                "whole",
                None,
                "Rows to draw (resample). [default: as many]",
                GROUP,
                low=1,
                first=False,
            ),
            Option(
                "weight_column",
                "text",
                None,
                "Name of the column of weights. [default: cr_weight]",
                GROUP,
                metavar="NAME",
            ),
            Option(
                "prefix",
                "text",
                "cr_",
                "What names of added columns begin with.",
                GROUP,
                metavar="NAME",
                first=False,
            ),
        ),
        whole=True,
        makes="the export",
    ),
)
