"""``cr-audit part``: one part of a scan's heavy work, on any machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option
from cr_audit.errors import ComputeError, UsageError

if TYPE_CHECKING:
    from cr_audit.reports import Report
    from cr_audit.run import Run

STAGES = ("vectors", "prompts", "copies", "across", "cells")
_MOST = 4096


def report(run: Run) -> Report:
    """Make the part and say what the folder holds now."""
    from cr_audit.analysis.parts import make_part
    from cr_audit.analysis.shelf import FolderOfParts, Part
    from cr_audit.blocks import Prose
    from cr_audit.findings import outcome_of
    from cr_audit.reports import Report
    from cr_audit.wire import document, setting_records
    from cr_audit.wording import plural

    k, n = _part_of(run.options["part"])
    stage, folder = run.options["of"], run.options["parts"]
    if stage is None or folder is None:
        raise UsageError(
            "part-of-what",
            "part wants the stage and the folder",
            next_step=f"add --of {'|'.join(STAGES)} and --parts DIR",
        )
    folder = _made(Path(folder))
    shelf = FolderOfParts(folder, say=run.say, making=Part(stage, k, n))
    dataset = run.dataset
    with run.resources():
        made = make_part(
            stage,
            shelf,
            dataset,
            run.settings,
            encoder=lambda: run.encoder,
            cache=run.cache,
            progress=run.progress,
        )
    if made is None:
        raise ComputeError(
            "nothing-to-part",
            f"this data leaves nothing of {stage} to be cut into parts",
            next_step="leave this stage out; cr-audit scan does what there is of it",
        )
    run.progress("done", 1, 1)
    done = "was there already" if made.found else "is made"
    rest = "all" if made.there == made.n_pieces else f"{made.there} of {made.n_pieces}"
    sentence = (
        f"{made.path.name} {done}: {plural(made.mine, 'piece')}, {made.n_bytes / 1e6:,.1f} MB."
        f" {folder} holds {rest} pieces of {stage}"
    )
    settings = setting_records({"seed": run.settings.seed}, run.given.sources)
    wire = {
        "stage": stage,
        "part": k,
        "of": n,
        "file": str(made.path),
        "n_pieces": made.mine,
        "n_pieces_there": made.there,
        "n_pieces_all": made.n_pieces,
    }
    return Report(
        command="part",
        blocks=lambda: [Prose((sentence,))],
        document=lambda full: document("part", settings, {"made": wire}, []),
        outcome=outcome_of((), (), "never", dataset.report.files[0].path),
    )


def _part_of(text: str | None) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text or "", re.ASCII)
    k, n = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= k <= n <= _MOST:
        raise UsageError(
            "bad-part",
            f"--part wants K/N, 1 <= K <= N <= {_MOST}",
            found=text,
            next_step="for example --part 3/8, the third of eight parts",
        )
    return k, n


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ComputeError(
            "no-folder",
            f"the folder for parts cannot be made: {error.strerror}",
            where=str(folder),
            next_step="name another folder with --parts",
        ) from error
    return folder


COMMAND = Command(
    "part",
    "Make one part of a scan's heavy work, on any machine; scan --parts takes what it finds.",
    report,
    details="Stages: vectors of all texts; prompts that are alike; copies among the answers to one"
    " prompt; across prompts (boilerplate); cells of Voronoi weights. Each stage is cut by itself,"
    " into as many parts as you like, made in any order and on any machine, twice without harm."
    " Between stages there is an order: copies wants all parts of prompts, across all of prompts"
    " and copies, cells all of vectors; vectors and prompts want nothing. A part belongs to its"
    " texts and settings, so that --parts is shared by several data sets without harm. What scan"
    " does not find it computes, and its report is the same to the last byte (docs/size.md).",
    options=(
        Option("part", "text", None, "Which part of how many, e.g. 3/8.", metavar="K/N"),
        Option("of", "choice", None, "Of which stage.", choices=STAGES),
        Option(
            "parts",
            "path",
            None,
            "The folder for parts, seen by all machines or brought together later.",
            metavar="DIR",
        ),
    ),
    examples=(
        "cr-audit part prefs.jsonl --of vectors --part 3/8 --parts parts/",
        "cr-audit part prefs.jsonl --of prompts --part 1/1 --parts parts/",
        "cr-audit part prefs.jsonl --of copies --part 8/8 --parts parts/",
        "cr-audit scan prefs.jsonl --parts parts/ -o report.html",
    ),
)
