"""Every next step that an error prints is followed by a test, and works.

``STEPS`` is a table: a wrong command, what its next step says, what is done to the files if that is
what is advised, and the command that works then. ``READS`` is the same for what only reading needs.
What needs more than files is in ``test_next_steps_around.py``, whose last test walks the code: each
place that makes a next step is followed in one of the two.
"""

from __future__ import annotations

import datetime
import gzip
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import advised
import numpy as np
import polars as pl
import pytest

from cr_audit import api
from cr_audit.errors import CrAuditError
from cr_audit.readers import read, reading_mismatch
from cr_audit.readers.bounds import Bounds
from cr_audit.readers.places import expand
from cr_audit.readers.raw import refuse_stdin

pytestmark = pytest.mark.xdist_group("next steps")
NONE = ("--model", "none")
QUICK = ("--model", "lexical", "--replicates", "10")
GATE = ("--exit-zero", *QUICK)


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(r) + "\n" for r in rows)


PAIRS = [
    {"prompt": f"q{i}", "chosen": f"a good answer {i}", "rejected": f"a bad reply {i}"}
    for i in range(12)
]
SAID = {"a": "a good answer", "b": "a bad reply", "c": "something else again"}
MODELS = [
    {
        "prompt": f"q{i}",
        "model_a": x,
        "model_b": y,
        "owner_a": "o",
        "owner_b": "o" if y != "a" else "p",
        "winner": "model_a" if i % 3 else "model_b",
        "response_a": f"{SAID[x]} {i}",
        "response_b": f"{SAID[y]} {i}",
    }
    for i in range(12)
    for x, y in (("a", "b"), ("b", "c"), ("c", "a"))
]
ALONE = [{**r, "model_a": "a", "model_b": "a"} for r in MODELS]
LISTS = [{"prompt": f"q{i}", "ranking": ["A", "B", "C"][i % 3 :] + ["A", "B", "C"][: i % 3]}
         for i in range(9)]  # fmt: skip
RATINGS = [{"prompt": "q", "response": f"answer {i}", "score": i} for i in range(6)]
VOTES = [{"left": x, "right": y, "winner": "left"} for x in "ABC" for y in "ABC" if x < y] * 4
GROUPS = [
    {"left": x, "right": y, "winner": w}
    for group in ("ABC", "DEF")
    for i, (x, y) in enumerate(
        [(group[0], group[1]), (group[1], group[2]), (group[0], group[2])] * 3
    )
    for w in ("left", "right")[: 1 + i % 2]
]
FILES: dict[str, str] = {
    "p.jsonl": lines(PAIRS),
    "m.jsonl": lines(MODELS),
    "same.jsonl": lines(ALONE),
    "lists.jsonl": lines(LISTS),
    "r.jsonl": lines(RATINGS),
    "votes.jsonl": lines(VOTES),
    "owners.csv": "model,owner\na,o\nb,o\nc,p\n",
}


def put(name: str, content: str | bytes) -> Callable[[], None]:
    """What writes a file when it is called."""

    def write() -> None:
        raw = content if isinstance(content, bytes) else content.encode()
        Path(name).write_bytes(raw)

    return write


def remove(name: str) -> Callable[[], None]:
    return lambda: Path(name).unlink()


def matrix(name: str, values: Any) -> Callable[[], None]:
    return lambda: np.save(name, np.asarray(values))


def record(content: str) -> None:
    """The record of the last files read, as if another program had written into it."""
    from cr_audit.cli.remembered import NAME
    from cr_audit.embed import default_cache_dir

    default_cache_dir().mkdir(parents=True, exist_ok=True)
    (default_cache_dir() / NAME).write_text(content, encoding="utf-8")


class Step(NamedTuple):
    """A wrong command, what its next step says, what is mended, and the command that works then."""

    wrong: tuple[str, ...]
    says: str
    right: tuple[str, ...]
    mend: Callable[[], Any] | None = None
    before: Callable[[], Any] | None = None
    codes: tuple[int, ...] = (0,)
    stdin: str = ""
    limits: dict[str, Any] = {}  # noqa: RUF012 - constants of the package that are made small


W = ("winrates", "p.jsonl", *NONE)
STEPS: dict[str, Step] = {
    # -- the command line and its settings file
    "two reports on stdout": Step(
        (*W, "--report", "json=-", "--report", "csv=-"), "name files",
        (*W, "--report", "json=a.json", "--report", "csv=a.csv"),
    ),
    "two reports in a file": Step(
        (*W, "--report", "json=a", "--report", "csv=a"), "a file for each",
        (*W, "--report", "json=a", "--report", "csv=b"),
    ),
    "a report of no format": Step(
        (*W, "--report", "jsn=a"), "formats: table, json", (*W, "--report", "json=a")
    ),
    "a device for an encoder that has one alone": Step(
        ("weights", "p.jsonl", "--model", "lexical", "--device", "cuda"), "leave --device out",
        ("weights", "p.jsonl", "--model", "lexical"),
    ),
    "a suffix of no format": Step(
        (*W, "-o", "a.pdf"), r"--format, or use one of .*\.json", (*W, "-o", "a.json")
    ),
    "a report on an input": Step(
        (*W, "-o", "p.jsonl", "--format", "json"), "another file", (*W, "-o", "q.json")
    ),
    "a report in the cache": Step(
        (*W, "-o", "cache/x.json"), "a file elsewhere", (*W, "-o", "x.json"),
        before=lambda: Path("cache").mkdir(),
    ),
    "a folder for a report": Step(
        (*W, "-o", "there.json"), "choose another -o FILE", (*W, "-o", "a.json"),
        before=lambda: Path("there.json").mkdir(),
    ),
    "a picture of another kind": Step(
        ("refit", "m.jsonl", *QUICK, "--plot", "a.pdf"), "ends in .svg or .png",
        ("refit", "m.jsonl", *QUICK, "--plot", "a.svg"),
    ),
    "a settings file that is not there": Step(
        (*W, "--config", "no.toml"), "check the path", (*W, "--config", "own.toml"),
        mend=put("own.toml", "seed = 3\n"),
    ),
    "a folder for a settings file": Step(
        W, "take it away", W, mend=lambda: Path("cr-audit.toml").rmdir(),
        before=lambda: Path("cr-audit.toml").mkdir(),
    ),
    "settings that are no TOML": Step(
        W, "mend the file", W, put("cr-audit.toml", "seed = 3\n"), put("cr-audit.toml", "seed =")
    ),
    "settings in pyproject.toml": Step(
        W, r"write \[tool.cr-audit\]", W, put("pyproject.toml", "[tool.cr-audit]\nseed = 3\n"),
        put("pyproject.toml", "tool = 3\n"),
    ),
    "a policy that is no table": Step(
        W, r"write \[gate\]", W, put("cr-audit.toml", "[gate]\n"),
        put("cr-audit.toml", "gate = 3\n"),
    ),
    "a setting with another name": Step(
        W, r"did you mean seed\?", W, put("cr-audit.toml", "seed = 3\n"),
        put("cr-audit.toml", "sede = 3\n"),
    ),
    "files that are no list": Step(
        ("refit", *QUICK), "for example files = ", ("refit", *QUICK),
        put("cr-audit.toml", 'files = ["m.jsonl"]\n'), put("cr-audit.toml", "files = 3\n"),
    ),
    "a value out of range": Step(
        W, ".", W, put("cr-audit.toml", "radius = 0.2\n"), put("cr-audit.toml", "radius = 7\n")
    ),
    "no files": Step(
        ("refit", *QUICK), "name a file, or put files", ("refit", "m.jsonl", *QUICK)
    ),
    "a --map that is none": Step(
        (*W, "--map", "prompt"), "for example --map", (*W, "--map", "prompt=prompt")
    ),
    "a rule that is not there": Step(
        ("explain", "CR1O1"), "did you mean CR101", ("explain", "CR101")
    ),
    "no table for CSV": Step(
        ("embed", "p.jsonl", "--model", "lexical", "--format", "csv"), "--format json",
        ("embed", "p.jsonl", "--model", "lexical", "--format", "json"),
    ),
    "nothing to embed": Step(
        ("embed", "p.jsonl", *NONE), "leave out",
        ("embed", "p.jsonl", "--model", "lexical"),
    ),
    # -- units
    "no vectors to fit": Step(
        ("refit", "m.jsonl", *NONE, "--reward", "linear"), "--reward tabular",
        ("refit", "m.jsonl", *NONE, "--reward", "tabular", "--replicates", "10"),
    ),
    "no weights to fit with": Step(
        ("refit", "m.jsonl", *NONE, "--weighted"), "use --standard",
        ("refit", "m.jsonl", *NONE, "--standard", "--replicates", "10"),
    ),
    "schemes without vectors": Step(
        ("weights", "m.jsonl", *NONE, "--compare"), "choose an encoder with --model",
        ("weights", "m.jsonl", *QUICK, "--compare"),
    ),
    "models that are not named": Step(
        (*W, "--unit", "model"), "use --unit response", (*W, "--unit", "response")
    ),
    "clusters without texts": Step(
        ("winrates", "votes.jsonl", *NONE, "--unit", "cluster"), "--unit response or --unit model",
        ("winrates", "votes.jsonl", *NONE, "--unit", "model"),
    ),
    "kinds that are not there": Step(
        ("winrates", "p.jsonl", *NONE, "--unit", "kind"), "--unit response or --unit cluster",
        ("winrates", "p.jsonl", *NONE, "--unit", "response"),
    ),
    "models that meet themselves": Step(
        ("refit", "same.jsonl", *QUICK, "--unit", "model"), "use --unit response",
        ("refit", "same.jsonl", *QUICK, "--unit", "response"),
    ),
    "nobody to resample": Step(
        ("winrates", "m.jsonl", *NONE, "--resample", "annotators"), "--resample comparisons",
        ("winrates", "m.jsonl", *NONE, "--resample", "comparisons"),
    ),
    # -- reading from the command line
    "a field that is not there": Step(
        (*W, "--map", "prompt=promt"), "did you mean prompt=prompt", (*W, "--map", "prompt=prompt")
    ),
    "weights that nobody named": Step(
        (*W, "--row-weights", "w"), "leave mass out of --map|give --map mass=", W
    ),
    "the first rows and a sample": Step(
        (*W, "--limit", "3", "--sample", "3"), "not both", (*W, "--limit", "3")
    ),
    "a part for a command that wants all": Step(
        ("gate", "--baseline", "p.jsonl", "p.jsonl", *GATE), "limit", ("scan", "p.jsonl", *NONE),
        before=put("cr-audit.toml", "limit = 3\n"),
    ),
    # -- exports
    "an export without a target": Step(
        ("export", "p.jsonl", *QUICK), "name it with -o", ("export", "p.jsonl", *QUICK, "-o",
            "w.jsonl")
    ),
    "two exits": Step(
        ("export", "p.jsonl", *QUICK, "--dedupe", "--as", "trl", "-o", "w.jsonl"), "clean first",
        ("export", "p.jsonl", *QUICK, "--dedupe", "-o", "w.jsonl"),
    ),
    "a trainer's file for rows": Step(
        ("export", "p.jsonl", *QUICK, "--trainer-file", "t.py", "-o", "w.jsonl"), "use --as trl",
        ("export", "p.jsonl", *QUICK, "--as", "trl", "--trainer-file", "t.py", "-o", "w.jsonl"),
    ),
    "an export onto its input": Step(
        ("export", "p.jsonl", *QUICK, "-o", "p.jsonl"), "name another file",
        ("export", "p.jsonl", *QUICK, "-o", "w.jsonl"),
    ),
    "an export with a suffix of no kind": Step(
        ("export", "p.jsonl", *QUICK, "-o", "w.txt"), "ends in .*jsonl",
        ("export", "p.jsonl", *QUICK, "-o", "w.jsonl"),
    ),
    "a column that is there": Step(
        ("export", "c.jsonl", *QUICK, "-o", "w.jsonl", "--prefix", "own_"), "--weight-column",
        ("export", "c.jsonl", *QUICK, "-o", "w.jsonl", "--prefix", "other_"),
        before=put("c.jsonl", lines([{**r, "own_weight": 1} for r in PAIRS])),
    ),
    "an export without weights": Step(
        ("export", "p.jsonl", *NONE, "-o", "w.jsonl"), "choose an encoder with --model",
        ("export", "p.jsonl", *QUICK, "-o", "w.jsonl"),
    ),
    "a file for a folder": Step(
        ("export", "p.jsonl", *QUICK, "--as", "datasets", "-o", "w.jsonl"), "name a folder",
        ("export", "p.jsonl", *QUICK, "--as", "datasets", "-o", "weighted"),
    ),
    "a folder that is not empty": Step(
        ("export", "p.jsonl", *QUICK, "--as", "datasets", "-o", "full"), "another folder",
        ("export", "p.jsonl", *QUICK, "--as", "datasets", "-o", "weighted"),
        before=lambda: (Path("full").mkdir(), Path("full/x").write_text("")),
    ),
    "a dataset_info.json that is there": Step(
        ("export", "p.jsonl", *QUICK, "--as", "llama-factory", "-o", "w.jsonl"), "an empty folder",
        ("export", "p.jsonl", *QUICK, "--as", "llama-factory", "-o", "new/w.jsonl"),
        mend=lambda: Path("new").mkdir(), before=put("dataset_info.json", "{}"),
    ),
    "no pairs for a trainer": Step(
        ("export", "lists.jsonl", *NONE, "--weights", "uniform", "--as", "trl", "-o", "w.jsonl"),
        "--expand-choices",
        ("export", "rr.jsonl", *QUICK, "--ratings-to-pairs", "--as", "trl", "-o", "w.jsonl"),
        before=put("rr.jsonl", lines(RATINGS)),
    ),
    "an export of messages": Step(
        ("export", "t.jsonl", *QUICK, "--dedupe", "-o", "w.jsonl"), r"--as rows.*gather each",
        ("export", "t.jsonl", *QUICK, "--as", "rows", "-o", "w.jsonl"),
        before=put("t.jsonl", lines([
            {"message_id": "1", "parent_id": None, "text": "q", "role": "prompter", "rank": None},
            {"message_id": "2", "parent_id": "1", "text": "x y", "role": "assistant", "rank": 0},
            {"message_id": "3", "parent_id": "1", "text": "y z", "role": "assistant", "rank": 1},
        ])),
    ),
    "half a character in a table": Step(
        ("export", "s.jsonl", *QUICK, "-o", "w.csv"), "write .jsonl",
        ("export", "s.jsonl", *QUICK, "-o", "w.jsonl"),
        before=put("s.jsonl",
            lines(PAIRS) + '{"prompt": "q", "chosen": "\\ud800 x", "rejected": "y"}\n'),
    ),
    "a column of several kinds": Step(
        ("export", "k.jsonl", *QUICK, "-o", "w.parquet"), "write .jsonl",
        ("export", "k.jsonl", *QUICK, "-o", "w.jsonl"),
        before=put("k.jsonl", lines([{**PAIRS[0], "x": 1}, {**PAIRS[1], "x": {"a": [1]}}])),
    ),
    # -- the gate
    "a gate without a baseline": Step(
        ("gate", "p.jsonl", *QUICK), "--baseline main.jsonl batch.jsonl",
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE),
    ),
    "a day that is none": Step(
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE, "--today", "yesterday"), "2027-06-30",
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE, "--today", "2027-06-30"),
    ),
    "known findings that are not there": Step(
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE, "--known", "k.json"),
            "--write-baseline",
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE, "--write-baseline", "k.json"),
    ),
    "known findings that are broken": Step(
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE, "--known", "k.json"), "write it anew",
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE, "--write-baseline", "k.json"),
        before=put("k.json", "[]"),
    ),
    "a policy that exists": Step(
        ("gate", "--init"), "name another with -o", ("gate", "--init", "-o", "new.toml"),
        before=put("cr-audit.toml", ""),
    ),
    "a gate of kinds": Step(
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE, "--unit", "kind"), "--unit response",
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE, "--unit", "model"),
    ),
    "a key of no policy": Step(
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE), "did you mean|known:",
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE),
        mend=put("cr-audit.toml", "[gate]\n"), before=put("cr-audit.toml",
            "[gate]\nprofil = 'x'\n"),
    ),
    "a waiver without a day": Step(
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE), "2027-06-30",
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE),
        mend=put("cr-audit.toml", "[gate]\n[[gate.waivers]]\nrule = 'CR101'\nreason = 'r'\n"
                 "owner = 'o'\nexpires = 2027-06-30\n"),
        before=put("cr-audit.toml", "[gate]\n[[gate.waivers]]\nrule = 'CR101'\nreason = 'r'\n"
                   "owner = 'o'\nexpires = 'soon'\n"),
    ),
    # -- families
    "directions without vectors": Step(
        ("choices", "lists.jsonl", *NONE, "--directions", "2"), "leave out --directions",
        ("choices", "lists.jsonl", *NONE),
    ),
    "a sample of what is piped": Step(
        ("winrates", "-", *NONE, "--sample", "3"), "take the first rows with --limit",
        ("winrates", "p.jsonl", *NONE, "--sample", "3"), stdin=lines(PAIRS),
    ),
    "a field of a pipe": Step(
        ("leaderboard", "-", *QUICK, "--by", "owner_a"), "give a file instead of -",
        ("leaderboard", "m.jsonl", *QUICK, "--by", "owner_a"), stdin=lines(MODELS),
    ),
    "a control that is none": Step(
        ("leaderboard", "m.jsonl", *QUICK, "--control", "size"), "--control length,style",
        ("leaderboard", "m.jsonl", *QUICK, "--control", "length,style"),
    ),
    "owners of nothing": Step(
        ("leaderboard", "votes.jsonl", *NONE, "--owner", "x"), "columns model and owner",
        ("leaderboard", "m.jsonl", *QUICK, "--owner", "owners.csv"),
    ),
    "two owners": Step(
        ("leaderboard", "m.jsonl", *QUICK, "--owner", "owner_a,owner_b"), "--owner owners.csv",
        ("leaderboard", "m.jsonl", *QUICK, "--owner", "owners.csv"),
    ),
    "a field that --by does not find": Step(
        ("leaderboard", "m.jsonl", *QUICK, "--by", "topic"), "name a field of the rows with --by",
        ("leaderboard", "m.jsonl", *QUICK, "--by", "owner_a"),
    ),
    "both fits": Step(
        ("refit", "m.jsonl", *QUICK, "--weighted", "--standard"), "leave out both",
        ("refit", "m.jsonl", *QUICK),
    ),
    "one item of a pair": Step(
        ("sensitivity", "m.jsonl", *QUICK, "--unit", "model", "--flip", "--pair", "a"),
            "for example --pair",
        ("sensitivity", "m.jsonl", *QUICK, "--unit", "model", "--flip", "--pair", "a", "--pair",
            "b"),
    ),
    "an item that is not there": Step(
        ("sensitivity", "m.jsonl", *QUICK, "--unit", "model", "--flip", "--pair", "a", "--pair",
            "z"),
        "give its id", ("sensitivity", "m.jsonl", *QUICK, "--unit", "model", "--flip", "--pair",
            "a", "--pair", "b"),
    ),
    "stress of a table": Step(
        ("stress", "m.jsonl", *QUICK, "--reward", "linear"), "leave out --reward",
        ("stress", "m.jsonl", *QUICK),
    ),
    "stress of clusters": Step(
        ("stress", "m.jsonl", *QUICK, "--unit", "cluster"), "--unit response or --unit model",
        ("stress", "m.jsonl", *QUICK, "--unit", "model"),
    ),
    "stress without vectors": Step(
        ("stress", "m.jsonl", *NONE), "choose an encoder", ("stress", "m.jsonl", *QUICK)
    ),
    # -- simulations
    "a simulation that is not there": Step(
        ("simulate", "tabel-3"), r"did you mean table-3\?", ("simulate", "table-3")
    ),
    "an option of another simulation": Step(
        ("simulate", "table-3", "--votes", "30"), "leave it out", ("simulate", "table-3")
    ),
    "a simulation out of range": Step(
        ("simulate", "table-3", "--clones", "100000000"), "another value, or leave it out",
        ("simulate", "table-3"),
    ),
    "a simulation that writes nothing": Step(
        ("simulate", "table-3", "--write", "x.jsonl"), "^cr-audit simulate .* --write",
        ("simulate", "clone-robust", "--write", "demo.jsonl"),
    ),
    "clones that want a file": Step(
        ("simulate", "clone-robust", "--clones", "4"), "--clones 4 --write demo.jsonl",
        ("simulate", "clone-robust", "--clones", "4", "--write", "demo.jsonl"),
    ),
    "a record of files that is broken": Step(
        ("refit", *QUICK), "name a file, or delete the record", ("refit", "m.jsonl", *QUICK),
        before=lambda: record("[]"),
    ),
    "a record of another folder": Step(
        ("refit", *QUICK), "name a file, or put files", ("refit", "m.jsonl", *QUICK),
        before=lambda: record('{"files": ["p.jsonl"], "options": {}, "folder": "/"}'),
    ),
    "too few texts": Step(
        ("simulate", "clone-robust", "--texts", "written", "--per-topic", "1000"),
            "--texts templates",
        ("simulate", "clone-robust", "--texts", "written", "--per-topic", "10", "--draws", "2"),
    ),
    "a ledger that is broken": Step(
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE, "--ledger", "l.json"),
            "take the ledger",
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE, "--ledger", "l.json"),
        mend=remove("l.json"), before=put("l.json", "[]"),
    ),
    "a policy of the wrong kind": Step(
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE), ".",
        ("gate", "--baseline", "m.jsonl", "m.jsonl", *GATE),
        mend=put("cr-audit.toml", "[gate]\n"), before=put("cr-audit.toml", "[gate]\nprofile = 3\n"),
    ),
    "one annotator to draw from": Step(
        ("refit", "u.jsonl", *QUICK, "--resample", "annotators"), "--resample comparisons",
        ("refit", "u.jsonl", *QUICK, "--resample", "comparisons"),
        before=put("u.jsonl", lines([{**r, "annotator": "u"} for r in MODELS])),
    ),
    "nothing left of a clean export": Step(
        ("export", "c.jsonl", *QUICK, "--dedupe", "--contradictions", "drop", "-o", "w.jsonl"),
        "--contradictions keep",
        ("export", "c.jsonl", *QUICK, "--dedupe", "--contradictions", "keep", "-o", "w.jsonl"),
        before=put("c.jsonl", lines([PAIRS[0], {"prompt": "q0", "chosen": PAIRS[0]["rejected"],
                                                "rejected": PAIRS[0]["chosen"]}])),
    ),
    "a column that a card cannot name": Step(
        ("export", "t.parquet", *QUICK, "--as", "datasets", "-o", "w"), "--as rows",
        ("export", "t.parquet", *QUICK, "--as", "rows", "-o", "w.parquet"),
        before=lambda: pl.DataFrame([{**r,
            "t": datetime.timedelta(1)} for r in PAIRS]).write_parquet(
            "t.parquet"
        ),
    ),
    "no way to train": Step(
        ("choices", "tied.jsonl", *NONE, "--remedy", "recommended"), "leave out --remedy",
        ("choices", "lists.jsonl", *NONE),
        before=put("tied.jsonl", lines([{"ranking": ["A", "B"]}] * 3)),
    ),
    "pairs that meet nobody else": Step(
        ("stress", "p.jsonl", *QUICK), "compared with several others", ("stress", "m.jsonl", *QUICK)
    ),
    "items of two groups": Step(
        ("sensitivity", "two.jsonl", *NONE, "--flip", "--pair", "A", "--pair", "E"),
        "collect a comparison between",
        ("sensitivity", "two.jsonl", *NONE, "--flip", "--pair", "A", "--pair", "E"),
        mend=put("two.jsonl", lines([*GROUPS, {"left": "A", "right": "E", "winner": "left"}])),
        before=put("two.jsonl", lines(GROUPS)),
    ),
    "a leaderboard of too many": Step(
        ("leaderboard", "m.jsonl", *QUICK, "--unit", "response"), "--unit model",
        ("leaderboard", "m.jsonl", *QUICK, "--unit", "model"),
        limits={"cr_audit.families.leaderboard.compute.MAX_ITEMS": 5},
    ),
    "a leaderboard of too many models": Step(
        ("leaderboard", "m.jsonl", *QUICK, "--unit", "model"), "cr-audit winrates ranks them all",
        ("winrates", "m.jsonl", *QUICK, "--unit", "model"),
        limits={"cr_audit.families.leaderboard.compute.MAX_ITEMS": 2},
    ),
    "pictures without the packages": Step(
        ("refit", "m.jsonl", *QUICK, "--plot", "a.png"), "name an .svg file",
        ("refit", "m.jsonl", *QUICK, "--plot", "a.svg"),
        limits={"cr_audit.write.png.png_is_possible": lambda: False},
    ),
    "more near pairs than can be held": Step(
        ("scan", "n.jsonl", *QUICK), "take a random sample of the rows", ("scan", "n.jsonl",
            *QUICK, "--sample", "2"),
        before=put("n.jsonl", lines([{"prompt": "q",
            "chosen": f"one and the same answer number {i}",
                                      "rejected": f"x{i} y{i}"} for i in range(12)])),
        limits={"cr_audit.clones.pairs.MAX_PAIRS": 3},
    ),
    "one comparison to choose a penalty by": Step(
        ("refit", "one.jsonl", *QUICK, "--penalty", "auto"), "collect more data",
        ("refit", "one.jsonl", *QUICK, "--penalty", "auto"),
        mend=put("one.jsonl", lines(MODELS)), before=put("one.jsonl", lines(MODELS[:1])),
    ),
    # -- vectors that are brought
    "vectors of another length": Step(
        ("scan", "p.jsonl", "--embeddings", "e.npy"), "ids, one a line",
        ("scan", "p.jsonl", "--embeddings", "e.npy"),
        mend=lambda: matrix("e.npy", np.eye(24)[:, :8] + 1.0)(), before=matrix("e.npy", np.eye(3)),
    ),
    "vectors in one line": Step(
        ("scan", "p.jsonl", "--embeddings", "e.npy"), "two dimensions",
        ("scan", "p.jsonl", "--embeddings", "e.npy"),
        mend=matrix("e.npy", np.eye(24)[:, :8] + 1.0), before=matrix("e.npy", np.ones(3)),
    ),
    "vectors that are no file of numpy": Step(
        ("scan", "p.jsonl", "--embeddings", "e.npy"), "numpy.save",
        ("scan", "p.jsonl", "--embeddings", "e.npy"),
        mend=matrix("e.npy", np.eye(24)[:, :8] + 1.0), before=put("e.npy", "no"),
    ),
    "vectors that are no numbers": Step(
        ("scan", "p.jsonl", "--embeddings", "e.npy"), "embed these texts again",
        ("scan", "p.jsonl", "--embeddings", "e.npy"),
        mend=matrix("e.npy", np.eye(24)[:, :8] + 1.0),
        before=matrix("e.npy", np.full((24, 3), np.nan)),
    ),
    "ids that are too few": Step(
        ("scan", "p.jsonl", "--embeddings", "e.npy"), "one id per line",
        ("scan", "p.jsonl", "--embeddings", "e.npy"),
        mend=remove("e.ids.txt"),
        before=lambda: (matrix("e.npy", np.eye(24)[:, :8] + 1.0)(), put("e.ids.txt", "a\n")()),
    ),
    "ids of other texts": Step(
        ("scan", "p.jsonl", "--embeddings", "e.npy"), "embed them too",
        ("scan", "p.jsonl", "--embeddings", "e.npy"),
        mend=remove("e.ids.txt"),
        before=lambda: (
            matrix("e.npy", np.eye(24)[:, :8] + 1.0)(),
            put("e.ids.txt", "".join(f"{i}\n" for i in range(24)))(),
        ),
    ),
    "a model of a settings file": Step(
        ("scan", "p.jsonl"), "name it on the command line", ("scan", "p.jsonl", "--model",
            "lexical"),
        before=lambda: (Path("own").mkdir(), put("cr-audit.toml", 'model = "./own"\n')()),
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _files(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in FILES.items():
        Path(name).write_text(content, encoding="utf-8")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def step_of(error: str) -> str:
    found = re.search(r"^  next: (.*)$", error, re.M)
    assert found, error
    return found[1]


@pytest.mark.parametrize("name", STEPS)
def test_a_next_step_of_a_command(name: str, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    step = STEPS[name]
    if name == "a report in the cache":
        monkeypatch.setenv("CR_AUDIT_CACHE", str(Path("cache").absolute()))
    if step.before is not None:
        step.before()
    for limit, value in step.limits.items():
        monkeypatch.setattr(limit, value)
    with advised.watched(monkeypatch) as seen:
        done = run(*step.wrong, stdin=step.stdin.encode())
    assert done.code in (2, 3, 4), done.err or done.out
    assert re.search(step.says, step_of(done.err)), step_of(done.err)
    if step.mend is not None:
        step.mend()
    if step.before is not None and Path("cr-audit.toml").is_file() and step.mend is None:
        Path("cr-audit.toml").unlink()
    done = run(*step.right)
    assert done.code in step.codes, done.err
    advised.FOLLOWED.update(seen)


# -- what only reading needs


class Read(NamedTuple):
    """A file that cannot be read, what its next step says, and how it is read then.

    mend : the bytes of the file as advised, None for the same. wrong, right : options of ``read``.
    """

    body: str | bytes
    says: str
    mend: str | bytes | None = None
    name: str = "a.jsonl"
    wrong: dict[str, Any] = {}  # noqa: RUF012 - never changed
    right: dict[str, Any] = {}  # noqa: RUF012 - never changed


ROW = json.dumps(PAIRS[0])
LONG = json.dumps({**PAIRS[0], "chosen": "long " * 400})
P = lines(PAIRS)
CSV = "prompt,chosen,rejected\nq,x,y\nr,z,w\n"
LABELS = lines([{"prompt": "p", "response_a": f"a{i}", "response_b": "b", "winner": i % 2}
                for i in range(6)])  # fmt: skip
RANKING = lines([{"prompt": "p", "responses": ["x", "y", "z"], "ranking": [2, 3, 1]}])
PARQUET = io.BytesIO()
pl.DataFrame(PAIRS).write_parquet(PARQUET)
TWO_JUDGEMENTS = lines([{**PAIRS[0], "instruction": "p", "output_1": "v", "output_2": "w",
                         "preference": 1}])  # fmt: skip
READS: dict[str, Read] = {
    "no file": Read(P, "name a file", wrong={"paths": []}),
    "a container that is none": Read(P, "choose one of jsonl", wrong={"container": "xlsx"},
                                     right={"container": "jsonl"}),
    "the same pipe twice": Read(P, "give - once", wrong={"paths": ["-", "-"]}),
    "rows that are no objects": Read("1\n2\n", "json.dumps", P),
    "a table that is no JSON": Read(CSV, "--container|json.dumps", wrong={"container": "jsonl"},
                                    right={"container": "csv"}),
    "no rows": Read("[]", "give rows", P, "a.json"),
    "nothing": Read("", "give a file with rows", P),
    "blank lines": Read("prompt,chosen,rejected\n", "give rows", CSV, "a.csv"),
    "broken rows": Read(P + "{broken\n", "--max-skipped 0.08", right={"max_skipped": 0.08}),
    "rows without a label": Read(
        lines([{"prompt": "p", "response_a": "a", "response_b": "b", "winner": None}]),
        "give rows with a label",
        lines([{"prompt": "p", "response_a": "a", "response_b": "b", "winner": "a"}]),
    ),
    "a long text": Read(LONG, "raise the limit with --max-text|--max-text",
                        wrong={"bounds": Bounds(max_text=200)},
                            right={"bounds": Bounds(max_text=5000)}),
    "a long row": Read(
        json.dumps({**PAIRS[0], "x": "y" * 3_000_000}), "take it out, or raise --max-text",
        wrong={"bounds": Bounds(max_text=10),
            "limits": {"cr_audit.readers.bounds._SMALLEST_ROW": 99}},
        right={"bounds": Bounds(max_text=5_000_000)},
    ),
    "many bytes": Read(P, "raise the limit with --max-bytes",
        wrong={"bounds": Bounds(max_bytes=100)},
                       right={"bounds": Bounds(max_bytes=10_000)}),
    "many fields": Read(
        json.dumps({**PAIRS[0], **{f"f{i}": i for i in range(11_000)}}), "into one field",
        json.dumps({**PAIRS[0], "f": list(range(11_000))}),
    ),
    "UTF-16": Read(P.encode("utf-16"), "iconv -f UTF-16", P),
    "Latin 1": Read(b'{"prompt": "caf\xe9", "chosen": "x", "rejected": "y"}\n', "iconv -f LATIN1",
                    '{"prompt": "café", "chosen": "x", "rejected": "y"}\n'),
    "a NUL": Read(b'{"prompt": "a\x00b"}\n', r"tr -d '\\000'", P),
    "a binary file": Read(bytes(range(256)) * 9, "give JSONL, JSON, CSV", P),
    "no container": Read("just words\n", "--container jsonl", P, "a"),
    "a broken document": Read(json.dumps(PAIRS)[:-1] + ",}", "one object per line is safer", P,
                              "a.json"),
    "a document that breaks off": Read(json.dumps(PAIRS)[:-20], "download the file again", P,
                                       "a.json"),
    "a last row that breaks off": Read(P + ROW[:-10], "delete what stands after", P),
    "a deep document": Read("[" + json.dumps(PAIRS[0])[:-1] + ', "x": ' + "[" * 500 + "]" * 500
                            + "}]", "take it out", json.dumps(PAIRS), "a.json"),
    "two columns of one name": Read("prompt,chosen,chosen\nq,x,y\n", "rename one of them", CSV,
                                    "a.csv"),
    "a quote that is not closed": Read('prompt,chosen,rejected\nq,"x,y\n', "quote cells", CSV,
                                       "a.csv"),
    "a Parquet file that breaks off": Read(PARQUET.getvalue()[:-9], "download the file again",
                                           PARQUET.getvalue(), "a.parquet"),
    "a Parquet file that is damaged": Read(
        PARQUET.getvalue()[:4] + bytes(60) + PARQUET.getvalue()[64:], "download the file again|^$",
        PARQUET.getvalue(), "a.parquet",
    ),
    "Parquet of columns that lie": Read(
        PARQUET.getvalue()[:-200] + bytes(180) + PARQUET.getvalue()[-20:],
            "download the file again|^$",
        PARQUET.getvalue(), "a.parquet",
    ),
    "what unpacks too far": Read(
        gzip.compress(P.encode() + b" " * 3_000_000), "--max-bytes", name="a.jsonl.gz",
        wrong={"limits": {"cr_audit.readers.bounds.RATIO_FROM": 1000}},
        right={"bounds": Bounds(max_bytes=10_000_000)},
    ),
    "a document of too many values": Read(
        json.dumps(PAIRS), "one object per line", P, "a.json",
        wrong={"limits": {"cr_audit.readers.containers.MAX_VALUES": 5}},
    ),
    "a document that is too long": Read(
        json.dumps(PAIRS), "one object per line", P, "a.json",
        wrong={"limits": {"cr_audit.readers.bounds.MAX_DOCUMENT": 5}},
    ),
    "too many rows": Read(
        P, "split the data set", ROW, wrong={"limits": {"cr_audit.readers.build.MAX_ROWS": 5}}
    ),
    "a pipe that is none": Read(P, "give a file instead of -", wrong={"paths": ["-"],
        "stdin": None}),
    "gzip that breaks off": Read(gzip.compress(P.encode() * 99)[:-30], "download the file again", P,
                                 "a.jsonl.gz"),
    "gzip that is damaged": Read(
        gzip.compress(P.encode() * 99)[:200] + b"\x00" * 40 + gzip.compress(P.encode() * 99)[240:],
        "download the file again", P, "a.jsonl.gz",
    ),
    "a schema that is none": Read(P, "nearest: chosen_rejected", wrong={"schema": "chosen_rejectd"},
                                  right={"schema": "chosen_rejected"}),
    "a role that is none": Read(P, r"did you mean prompt=prompt\?",
        wrong={"mapping": {"promt": "prompt"}},
                                right={"mapping": {"prompt": "prompt"}}),
    "a role that is open": Read(
        lines([{"prompt": "q", "kept": "x", "thrown": "y"}]), "add rejected=FIELD",
        wrong={"mapping": {"chosen": "kept"}},
        right={"mapping": {"chosen": "kept", "rejected": "thrown"}},
    ),
    "a schema that does not fit": Read(
        lines([{"prompt": "q", "chosen": "x", "thrown": "y"}]), "add --map rejected=FIELD",
        wrong={"schema": "chosen_rejected"},
        right={"schema": "chosen_rejected", "mapping": {"rejected": "thrown"}},
    ),
    "two judgements": Read(TWO_JUDGEMENTS, "choose one: --schema", right={"schema": "alpaca_eval"}),
    "labels of nought and one": Read(
        LABELS, "left_label=0,right_label=1",
        right={"mapping": {"label": "winner", "left": "response_a", "right": "response_b",
                           "left_label": "0", "right_label": "1"}},
    ),
    "rows of no schema": Read(
        lines([{"prompt": "q", "yes": "It is so", "no": "It is not"}]),
            "--map prompt=prompt,chosen=",
        right={"mapping": {"chosen": "yes", "rejected": "no"}},
    ),
    "a ranking of two readings": Read(RANKING, "item_ranks=ranking",
                                      right={"mapping": {"items": "responses",
                                          "item_ranks": "ranking"}}),
    "a weight below nought": Read(
        lines([{**PAIRS[0], "w": 1}, {**PAIRS[1], "w": -1}]), "leave --row-weights out",
        wrong={"row_weights": "w"},
    ),
    "weights of ratings": Read(lines([{**r, "w": 1} for r in RATINGS]), "leave --row-weights out",
                               wrong={"row_weights": "w"}),
    "two weights": Read(lines([{**PAIRS[0], "w": 1, "v": 1}]), "name one field",
                        wrong={"row_weights": "w", "mapping": {"mass": "v"}},
                        right={"row_weights": "w"}),
    "pairs without number": Read(
        lines([{"prompt": "q", "response": f"r{i}", "score": i} for i in range(40)]),
        "leave the option away", wrong={"ratings_to_pairs": True, "limit_pairs": 100},
    ),
}  # fmt: skip


def read_file(body: str | bytes, name: str, options: dict[str, Any]) -> Any:
    options = dict(options)
    Path(name).write_bytes(body if isinstance(body, bytes) else body.encode())
    paths = options.pop("paths", [name])
    stdin = options.pop("stdin", io.BytesIO(b""))
    return read(paths, stdin=stdin, **options)


@pytest.mark.parametrize("name", READS)
def test_a_next_step_of_reading(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = READS[name]
    wrong = dict(case.wrong)
    few = wrong.pop("limit_pairs", None)
    limits = {
        **wrong.pop("limits", {}),
        **({"cr_audit.readers.implied.MAX_IMPLIED": few} if few else {}),
    }
    with advised.watched(monkeypatch) as seen, monkeypatch.context() as patch:
        for limit, value in limits.items():
            patch.setattr(limit, value)
        with pytest.raises(CrAuditError) as caught:
            read_file(case.body, case.name, wrong)
    assert re.search(case.says, caught.value.next_step or ""), caught.value.next_step
    suffix = {"UTF-16": "iconv", "a NUL": "tr"}.get(name)
    if suffix is not None and shutil.which(suffix):  # the line as it stands
        line = (caught.value.next_step or "").partition(": ")[2].replace("OUT", "out.jsonl")
        subprocess.run(line, shell=True, check=True)
    data = read_file(case.body if case.mend is None else case.mend, case.name, case.right)
    assert data.report.rows_read > 0
    advised.FOLLOWED.update(seen)


def test_where_files_are(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("empty").mkdir()
    Path("many").mkdir()
    for i in range(201):
        Path(f"many/{i}.jsonl").write_text(ROW + "\n")
    with advised.watched(monkeypatch) as seen:
        shown = raised(lambda: expand(["empty"])).rpartition("see what is there: ")[2]
        assert subprocess.run(shown, shell=True, check=True, capture_output=True).stdout == b""
        assert "join them first" in raised(lambda: expand(["many"]))
        Path("one.jsonl").write_text("".join(p.read_text() for p in Path("many").iterdir()))
        assert read(expand(["one.jsonl"]).files).report.rows_read == 201
        assert raised(lambda: read(["many"])).endswith("many/*.jsonl")
        with monkeypatch.context() as patch:
            patch.setattr("cr_audit.readers.places.MAX_SEEN", 3)
            assert "or the files" in raised(lambda: expand(["many"]))
            assert expand(["many/3.jsonl"]).files == ["many/3.jsonl"]
        assert "download the file and name it" in raised(lambda: expand(["s9://bucket/a.jsonl"]))
        assert expand(["one.jsonl"]).files == ["one.jsonl"]
        assert "name the file" in raised(lambda: refuse_stdin("-"))
        assert refuse_stdin("one.jsonl") is None
        with monkeypatch.context() as patch:
            patch.setattr("cr_audit.readers.streams.PIPE_SECONDS", 0.1)
            os.mkfifo("pipe")
            assert "or name a file" in raised(lambda: read(["pipe"]))
    advised.FOLLOWED.update(seen)


def test_a_batch_of_other_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    base = read_file(P, "base.jsonl", {}).report
    bare = lines([{"zorp": "Why is it?", "chosen": "x", "rejected": "y"}])
    parts = lines([{**r, "system_prompt": f"S {i}"} for i, r in enumerate(PAIRS)])
    with advised.watched(monkeypatch) as seen:
        error = reading_mismatch(base, read_file(bare, "batch.jsonl", {}).report)
        other = reading_mismatch(base, read_file(parts, "parts.jsonl", {}).report)
    assert error is not None
    assert "--map prompt=FIELD" in (error.next_step or "")
    mapped = read_file(bare, "batch.jsonl", {"mapping": {"prompt": "zorp"}}).report
    assert reading_mismatch(base, mapped) is None
    assert other is not None
    assert "give both the same fields" in (other.next_step or "")
    assert reading_mismatch(base, read_file(P, "parts.jsonl", {}).report) is None
    advised.FOLLOWED.update(seen)


# -- the library


def raised(call: Callable[[], Any]) -> str:
    with pytest.raises(CrAuditError) as caught:
        call()
    return caught.value.next_step or ""


def test_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    with advised.watched(monkeypatch) as seen:
        assert "a list of dictionaries" in raised(lambda: api.audit(7, model="none"))
        made = api.audit(PAIRS, model="none")
        assert "choose one of table" in raised(lambda: made.write("pdf"))
        assert made.write("json")
        assert "settings:" in raised(lambda: api.audit(PAIRS, modell="none"))
        assert "choose an encoder with model=" in raised(lambda: made.weights.to_frame())
        with_vectors = api.audit(PAIRS, model="lexical", n_replicates=10)
        assert with_vectors.weights.to_frame().height == 24
        step = raised(lambda: api.gate(MODELS, MODELS, model="lexical"))
        assert step == "save one of them to a file and give its path"
        gate = api.gate("m.jsonl", MODELS, model="lexical", n_replicates=10)
        assert gate.passed in (True, False)
    advised.FOLLOWED.update(seen)


def test_standard_output_that_is_closed(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from cr_audit.files import write_stdout

    with advised.watched(monkeypatch) as seen, monkeypatch.context() as patch:
        patch.setattr("sys.stdout", None)
        step = raised(lambda: write_stdout("report"))
    assert step == "write the report to a file with -o FILE"
    assert run(*W, "-o", "report.txt").code == 0
    assert Path("report.txt").stat().st_size
    advised.FOLLOWED.update(seen)


def test_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    from cr_audit.embed.opening import open_backend, open_vectors

    np.save("e.npy", np.eye(3))
    Path("folder").mkdir()
    with advised.watched(monkeypatch) as seen:
        step = raised(lambda: open_vectors("lexical", precision="int8"))
        assert step.startswith("leave the precision away")
        assert open_vectors("lexical").name
        assert "static, lexical" in raised(lambda: open_backend("precomputed:e.npy"))
        assert open_backend("lexical").name
        assert "--model lexical" in raised(lambda: open_vectors("no/such-model"))
        raised(lambda: open_vectors("./folder"))
    advised.FOLLOWED.update(seen)


def test_what_is_named_in_a_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    from cr_audit.models.rewards.kinds import REWARD_MODELS
    from cr_audit.weights.spaces import SPACES, Block, box_named

    blocks = (Block(np.eye(2, dtype=np.float32), None),)
    with advised.watched(monkeypatch) as seen:
        step = raised(lambda: REWARD_MODELS.get("lineal"))
        names = step.removeprefix("use one of ").split(", ")
        assert all(REWARD_MODELS.get(n).name == n for n in names)
        assert raised(lambda: box_named("no", blocks)) == f"use one of {', '.join(SPACES)}"
    advised.FOLLOWED.update(seen)
