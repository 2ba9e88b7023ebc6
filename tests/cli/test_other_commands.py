"""Help, completion, explain, simulate, and the commands that show one part."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cases import DISTINCT, SAMPLES, jsonl, round_robin
from typer.main import get_command

from cr_audit import __version__
from cr_audit.cli.app import make_app
from cr_audit.cli.explain import known_rules
from cr_audit.contract import schema
from cr_audit.embed.lexical import LexicalBackend

ROBUST = str(SAMPLES / "clone_robust.jsonl")
RULES = known_rules()
COMMANDS = sorted(get_command(make_app()).commands)  # type: ignore[attr-defined]
READING = [c for c in COMMANDS if c not in ("simulate", "explain")]
SGR = re.compile(r"\x1b\[[0-9;]*m")


# --- help --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(run: Any, command: str) -> None:
    done = run(command, "--help")
    assert done.code == 0
    text = SGR.sub("", done.out)
    assert f"cr-audit {command} " in text
    assert re.search(r"Examples?:", text)
    assert f"Usage: cr-audit {command}" in text
    assert run(command, "-h").out == done.out


def test_the_root_help(run: Any) -> None:
    done = run("--help")
    assert done.code == 0
    for command in COMMANDS:
        assert command in done.out
    assert "cr-audit scan prefs.jsonl" in done.out
    assert "70 a bug" in " ".join(done.out.split())
    assert run("--version").out.strip() == f"cr-audit {__version__}"


@pytest.mark.parametrize("words", [["--help"], ["scan", "--help"], ["gate", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    script = (
        "import sys\n"
        f"sys.argv = {['cr-audit', *words]}\n"
        "from cr_audit.cli.app import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    pass\n"
        "print(sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(re.findall(r"'([\w.]+)'", done.stderr.splitlines()[-1]))
    heavy = {"numpy", "polars", "scipy", "torch", "sentence_transformers", "hnswlib", "orjson"}
    assert not heavy & {name.split(".")[0] for name in loaded}
    assert not loaded & {"rich", "rich.markdown", "typer.rich_utils"}


def test_no_arguments_show_the_help(run: Any) -> None:
    done = run()
    assert done.code == 2
    assert "Usage: cr-audit" in done.out + done.err


def test_an_unknown_command_suggests_the_nearest(run: Any) -> None:
    done = run("scam", ROBUST)
    assert done.code == 2
    assert "scan" in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(shell: str) -> None:
    program = Path(sys.executable).with_name("cr-audit")
    if not program.exists():
        pytest.skip("completion needs the installed program, not python -m")

    def complete(**env: str) -> str:
        return subprocess.run(
            [str(program)],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    assert "cr-audit" in complete(_CR_AUDIT_COMPLETE=f"source_{shell}")
    words = {"COMP_WORDS": "cr-audit sc", "COMP_CWORD": "1"}
    words |= {"_TYPER_COMPLETE_ARGS": "cr-audit sc", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    offered = complete(_CR_AUDIT_COMPLETE=f"complete_{shell}", **words)
    assert "scan" in offered
    assert "simulate" not in offered


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_option_in_its_group_and_no_markup(run: Any, command: str) -> None:
    two_pages = command != "explain"
    page = run(command, "--help-all" if two_pages else "--help").out
    own = get_command(make_app()).commands[command].params  # type: ignore[attr-defined]
    for option in own:
        panel = getattr(option, "rich_help_panel", None)
        if panel:
            assert f"\n{panel}:\n" in page
        for name in option.opts if option.opts[0].startswith("-") else ():
            assert re.search(rf"(?m)^  .*{name}(?![\w-])", page), name
    assert "\\[" not in page
    assert "\x1b" not in page


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_screen_and_names_the_page_that_has_the_rest(
    run: Any, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    short = run(command, "--help").out
    lines = short.splitlines()
    assert len(lines) < 45
    examples = ("  cr-audit", "    cr-audit")
    assert all(len(line) <= 80 for line in lines if not line.startswith(examples)), short
    if command == "explain":
        return
    whole = run(command, "--help-all").out
    shown, listed = (
        set(re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", page)) for page in (short, whole)
    )
    assert shown < listed
    found = re.search(r"(?m)^(\d+) more options.*: (cr-audit .*)$", short)
    assert found
    assert found[2] == f"cr-audit {command} --help-all"
    own = get_command(make_app()).commands[command].params  # type: ignore[attr-defined]
    assert {"--format", "--output"} <= shown
    assert int(found[1]) == len(own) - len(shown)


def test_the_short_page_shows_first_clauses_short_defaults_and_long_lists_of_values(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    page = " ".join(run("export", "--help").out.split())
    assert "--as NAME What to write: rows, clean, resample, trl," in page
    assert "datasets [rows]" in page
    assert "--weights NAME Weights of alternatives by voronoi, cluster, sharing" in page
    assert "or uniform [sharing]" in page
    assert "e.g. prompt=question,chosen=better,rejected=worse." in page
    details = "Lists are taken as they stand"
    assert details in run("choices", "--help-all").out
    assert details not in run("choices", "--help").out


def test_help_builds_only_the_command_that_is_asked_for() -> None:
    root: Any = get_command(make_app())
    with root.make_context("cr-audit", ["--help"], resilient_parsing=True) as ctx:
        assert "leaderboard" in root.get_help(ctx)
    assert not root.commands._built
    assert root.get_command(ctx, "scan").name == "scan"
    assert list(root.commands._built) == ["scan"]
    assert root.get_command(ctx, "scam") is None


# --- explain -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_explain_by_id_and_by_name(run: Any, rule: Any) -> None:
    by_id, by_name = run("explain", rule.id.lower()), run("explain", rule.name.upper())
    assert by_id.code == by_name.code == 0
    assert by_id.out == by_name.out
    assert by_id.out.startswith(f"{rule.id}  {rule.name}  {rule.severity}\n")


def test_explain_lists_all_rules(run: Any) -> None:
    done = run("explain")
    assert done.code == 0
    for rule in RULES:
        assert rule.id in done.out
        assert rule.name in done.out


@pytest.mark.parametrize(
    ("typo", "meant"), [("CR1O1", "CR101"), ("leader-change", "leader-changes"), ("xyzzy", None)]
)
def test_explain_a_typo(run: Any, typo: str, meant: str | None) -> None:
    done = run("explain", typo)
    assert done.code == 2
    assert f"there is no rule or word {typo!r}" in done.err
    if meant:
        assert f"did you mean {meant}?" in done.err
    assert "lists all of them" in done.err


# --- simulate ----------------------------------------------------------------------------------


def test_simulate_writes_the_sample_data(run: Any) -> None:
    done = run("simulate", "clone-robust", "--write", "demo.jsonl")
    assert done.code == 0
    assert "cr-audit scan demo.jsonl" in done.out
    assert Path("demo.jsonl").read_bytes() == Path(ROBUST).read_bytes()
    assert run("simulate", "clone-robust", "--write", "other.jsonl", "--seed", "9").code == 0
    assert Path("other.jsonl").read_bytes() != Path("demo.jsonl").read_bytes()
    assert run("simulate", "clone-robust", "--write", "clean.jsonl", "--clones", "0").code == 0
    done = run("scan", "clean.jsonl", "--model", "lexical", "--replicates", "50")
    assert "No two responses to one prompt are near-clones." in done.out


def test_simulate_errors(run: Any) -> None:
    done = run("simulate", "clone-robots")
    assert done.code == 2
    assert "did you mean clone-robust?" in done.err
    done = run("simulate", "clone-robust", "--write", "no/such/folder/x.jsonl")
    assert done.code == 4
    assert "no/such/folder/x.jsonl" in done.err


# --- parts of a scan ---------------------------------------------------------------------------


@pytest.fixture
def prefs() -> str:
    Path("prefs.jsonl").write_bytes(jsonl(round_robin(DISTINCT[:6])))
    return "prefs.jsonl"


QUICK = ("--model", "lexical", "--replicates", "50")
SHOWN = {
    "clones": ["Clones", "cluster 1", "cirrus-1-0613", "the two furthest of the cluster of 5"],
    "weights": ["Weights  sharing", "Voronoi weights", "Heaviest", "times 1/m"],
    "winrates": ["Win rates by model", "boreal-7b", "Win rates by response"],
}


@pytest.mark.parametrize("command", SHOWN)
def test_a_part_in_depth(run: Any, command: str) -> None:
    done = run(command, ROBUST, *QUICK)
    assert done.code == 0
    assert done.out.startswith(f"cr-audit {command}  ")
    for words in SHOWN[command]:
        assert words in done.out
    done = run(command, ROBUST, *QUICK, "--format", "json")
    document = json.loads(done.out)
    jsonschema.Draft202012Validator(schema()).validate(document)
    assert document["command"] == command
    assert run(command, ROBUST, *QUICK, "--format", "markdown").out.startswith(
        f"## cr-audit {command}"
    )


def test_top_limits_what_is_shown(run: Any) -> None:
    few = run("winrates", ROBUST, *QUICK, "--unit", "model", "--top", "2").out
    assert "boreal-7b" in few
    assert "cirrus-1-0613" not in few.split("closest models")[0]
    assert "5 more" in few
    assert "cluster 2" not in run("clones", ROBUST, *QUICK, "--top", "1", "--diffs", "0").out


def test_weights_compare(run: Any) -> None:
    done = run("weights", ROBUST, *QUICK, "--compare")
    assert done.code == 0
    for scheme in ("voronoi sphere", "voronoi unit-cube", "cluster", "sharing", "uniform"):
        assert scheme in done.out
    assert run("weights", ROBUST, "--model", "none", "--compare").code == 4


def test_embed_fills_the_cache_and_a_scan_computes_nothing_anew(
    run: Any, prefs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run("scan", prefs, *QUICK, "--no-cache", "--format", "json")
    done = run("embed", prefs, "--model", "lexical")
    assert done.code == 0
    assert re.match(r"7 texts of \S+ are in the cache, which holds 7 vectors in ", done.out)
    assert os.environ["CR_AUDIT_CACHE"] in done.out
    assert (
        run("embed", prefs, "--model", "lexical").out.split(" in ")[:2]
        == done.out.split(" in ")[:2]
    )

    def encode(*_: Any, **__: Any) -> Any:
        raise AssertionError("a cached text was encoded again")

    monkeypatch.setattr(LexicalBackend, "encode", encode)
    after = run("scan", prefs, *QUICK, "--format", "json")
    assert after.code == 0, after.err
    assert after.out == before.out
    assert run("scan", prefs, *QUICK, "--no-cache").code == 70  # the trap works


@pytest.mark.parametrize(
    "options", [("--model", "none"), ("--no-cache",), ("--embeddings", "v.npy")]
)
def test_embed_without_anything_to_fill(run: Any, prefs: str, options: tuple[str, ...]) -> None:
    Path("v.npy").write_bytes(b"")
    done = run("embed", prefs, "--model", "lexical", *options)
    assert done.code in (2, 3)
    assert "next: " in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", [c for c in READING if c in ("embed", *SHOWN)])
def test_errors_of_the_parts(run: Any, command: str) -> None:
    assert run(command, "missing.jsonl").code == 3
    assert run(command, ROBUST, "--unit", "x").code == 2
    assert run(command, ROBUST, "--no-such-option").code == 2


def test_embeddings_of_ones_own(run: Any, prefs: str) -> None:
    import numpy as np
    import polars as pl

    document = json.loads(run("scan", prefs, *QUICK, "--format", "json").out)
    ids = [a["id"] for a in document["alternatives"]]
    vectors = np.random.default_rng(0).normal(size=(len(ids), 8)).astype(np.float32)
    pl.DataFrame({"id": ids, "vector": vectors.tolist()}).write_parquet("v.parquet")
    done = run("scan", prefs, "--embeddings", "v.parquet", "--replicates", "50", "--format", "json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["embedding"]["dimension"] == 8
    pl.DataFrame({"id": ids[1:], "vector": vectors[1:].tolist()}).write_parquet("v.parquet")
    done = run("scan", prefs, "--embeddings", "v.parquet")
    assert done.code in (3, 4)
    assert "v.parquet" in done.err
