"""``cr-audit scan`` from the outside: exit codes, streams, files, settings."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cases import DISTINCT, SAMPLES, jsonl, labelled, round_robin

from cr_audit.cli import scan
from cr_audit.cli.build import signature_of
from cr_audit.contract import schema
from cr_audit.settings import SETTINGS

QUICK = ("--model", "none", "--replicates", "10")
NEAR = "the quick brown fox jumps over the lazy dog near the old stone bridge"
ROBUST, CLEAN = str(SAMPLES / "clone_robust.jsonl"), str(SAMPLES / "clean.jsonl")


@pytest.fixture
def prefs() -> str:
    """A small data set without any warning, as prefs.jsonl."""
    Path("prefs.jsonl").write_bytes(jsonl(round_robin(DISTINCT[:5])))
    return "prefs.jsonl"


@pytest.fixture
def noted() -> str:
    """The same with a note (no fit without a penalty), but nothing worse."""
    rows = [{"prompt": "Why?", "chosen": DISTINCT[0], "rejected": t} for t in DISTINCT[1:4]]
    Path("noted.jsonl").write_bytes(jsonl(rows))
    return "noted.jsonl"


@pytest.fixture
def warned() -> str:
    """The same with a warning (near-clones), but no error."""
    rows = [{"prompt": "Why?", "chosen": NEAR, "rejected": NEAR.replace("lazy", "sleepy")}]
    Path("warned.jsonl").write_bytes(jsonl(rows * 3))
    return "warned.jsonl"


def parsed(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(schema()).validate(document)
    return document


# --- exit codes --------------------------------------------------------------------------------


def test_pass(run: Any, prefs: str) -> None:
    done = run("scan", prefs, *QUICK)
    assert done.code == 0
    assert done.out.startswith("cr-audit scan  prefs.jsonl\n20 rows read as labelled_pair")
    assert done.err == ""


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        ("noted", {"never": 0, "error": 0, "warning": 0, "note": 1}),
        ("warned", {"never": 0, "error": 0, "warning": 1, "note": 1}),
        ("robust", {"never": 0, "error": 1, "warning": 1, "note": 1}),
    ],
)
def test_fail_on_is_inclusive(
    run: Any, request: pytest.FixtureRequest, data: str, codes: dict[str, int]
) -> None:
    path = ROBUST if data == "robust" else request.getfixturevalue(data)
    encoder = ("--model", "lexical") if data == "robust" else QUICK
    for level, code in codes.items():
        for form in ("table", "json", "markdown"):
            if form != "json" and data == "robust":
                continue
            assert run("scan", path, *encoder, "--fail-on", level, "--format", form).code == code
    assert run("scan", path, *encoder, "--fail-on", "note", "--exit-zero").code == 0


def test_the_report_is_written_before_the_exit_code(run: Any, warned: str) -> None:
    done = run("scan", warned, *QUICK, "--format", "json", "-o", "r.json", "--fail-on", "note")
    assert done.code == 1
    assert parsed(Path("r.json").read_text())["findings"]


USAGE: list[tuple[list[str], str]] = [
    (["--unit", "rsponse"], "did you mean response?"),
    (["--weights", "voronoy"], "did you mean voronoi?"),
    (["--space", "cube"], "--space must be one of"),
    (["--scope", "all"], "--scope must be one of"),
    (["--resample", "rows"], "--resample must be one of"),
    (["--map", "prompt"], "ROLE=FIELD"),
    (["--map", "prompt="], "ROLE=FIELD"),
    (["--map", "promt=q"], "prompt"),
    (["--schema", "choosen_rejected"], "chosen_rejected"),
]


@pytest.mark.parametrize(("options", "said"), USAGE)
def test_usage_errors(run: Any, prefs: str, options: list[str], said: str) -> None:
    done = run("scan", prefs, *options)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("cr-audit: ")
    assert said in done.err
    assert "next: " in done.err or "must be one of" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "yaml"],
        ["--fail-on", "fatal"],
        ["--radius", "2"],
        ["--max-skipped", "-1"],
        ["--precision", "0"],
        ["--replicates", "3"],
        ["--confidence-level", "1"],
        ["--seed", "-1"],
        ["--seed", "x"],
        ["--no-such-option"],
    ],
)
def test_values_out_of_range_are_usage_errors(run: Any, prefs: str, options: list[str]) -> None:
    done = run("scan", prefs, *options)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert options[0] in done.err


INPUTS: list[tuple[str, bytes | None, str]] = [
    ("missing.jsonl", None, "no such file"),
    ("empty.jsonl", b"", "empty"),
    ("binary.jsonl", bytes(range(256)) * 10, "binary.jsonl"),
    ("cut.jsonl.gz", b"\x1f\x8b\x08\x00garbage", "cut.jsonl.gz"),
    ("unknown.jsonl", b'{"foo": 1}\n' * 5, "fit no known schema"),
    ("list.json", b'{"prompt": ', "list.json"),
]


@pytest.mark.parametrize(("name", "content", "said"), INPUTS, ids=[i[0] for i in INPUTS])
def test_input_errors(run: Any, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    done = run("scan", name, *QUICK)
    assert done.code == 3
    assert done.out == ""
    assert done.err.startswith(f"cr-audit: {name}")
    assert said in done.err
    assert "next: " in done.err
    assert "Traceback" not in done.err


def test_too_many_rows_skipped(run: Any) -> None:
    rows: list[dict[str, Any]] = round_robin(DISTINCT[:3])
    rows += [{**rows[0], "response_a": None}] * 6
    Path("bad.jsonl").write_bytes(jsonl(rows))
    done = run("scan", "bad.jsonl", *QUICK)
    assert done.code == 3
    assert done.err.count("bad.jsonl:") >= 5  # the first five reasons with file and line
    assert "--max-skipped" in done.err
    done = run("scan", "bad.jsonl", *QUICK, "--max-skipped", "0.5", "--format", "json")
    assert done.code == 0
    data = parsed(done.out)["dataset"]
    assert data["rows_skipped"] == 6
    assert data["skipped_by_reason"] == {"missing_text": 6}


def test_cannot_compute(run: Any, prefs: str) -> None:
    done = run("scan", prefs, "--unit", "model", *QUICK)
    assert done.code == 4
    assert "next: use --unit response" in done.err
    done = run("scan", prefs, "--model", "./no-such-folder")
    assert done.code == 4
    assert "next: " in done.err
    assert "Traceback" not in done.err


def test_a_report_that_cannot_be_written(run: Any, prefs: str) -> None:
    done = run("scan", prefs, *QUICK, "-o", "no/such/folder/r.txt")
    assert done.code == 4
    assert "no/such/folder/r.txt" in done.err


def test_a_bug_is_exit_70(run: Any, prefs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("\x1b[31mhostile")

    monkeypatch.setattr("cr_audit.families.reporting.judge", broken)
    done = run("scan", prefs, *QUICK)
    assert done.code == 70
    assert "a bug: ZeroDivisionError" in done.err
    assert "\x1b" not in done.err
    assert "--debug" in done.err
    assert "Traceback" not in done.err
    with pytest.raises(ZeroDivisionError):
        run("scan", prefs, *QUICK, "--debug")


def test_debug_shows_the_traceback_of_an_error() -> None:
    plain, debug = (
        subprocess.run(
            [sys.executable, "-m", "cr_audit", "scan", "missing.jsonl", *extra],
            capture_output=True,
            text=True,
            check=False,
        )
        for extra in ((), ("--debug",))
    )
    assert plain.returncode == 3
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr


def test_errors_escape_what_they_quote(run: Any) -> None:
    name = "\x1b[31mred\u202e.jsonl"
    done = run("scan", name)
    assert done.code == 3
    assert "\x1b" not in done.err
    assert "\u202e" not in done.err
    assert "\\x1b[31mred\\u202e.jsonl" in done.err


def test_a_hostile_field_in_an_error_is_escaped(run: Any) -> None:
    Path("x.jsonl").write_bytes(jsonl([{"\x1b[31m::error::": "\n::error::x"}] * 3))
    done = run("scan", "x.jsonl")
    assert done.code == 3
    assert "\x1b" not in done.err
    assert not [line for line in done.err.splitlines() if line.lstrip().startswith("::")]


# --- output ------------------------------------------------------------------------------------


def test_output_to_a_file_is_whole_or_not_there(
    run: Any, prefs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path("r.txt")
    done = run("scan", prefs, *QUICK, "-o", str(out))
    assert (done.code, done.out) == (0, "")
    assert out.read_text().startswith("cr-audit scan  prefs.jsonl")

    def broken(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", broken)
    done = run("scan", prefs, *QUICK, "--no-cache", "-o", str(out), "--format", "json")
    assert done.code == 4
    assert not out.exists()  # the report of the earlier run would be taken for this one's


def test_a_file_gets_no_colour_and_a_fixed_width(
    run: Any, prefs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = []
    for width in ("60", "200"):
        monkeypatch.setenv("COLUMNS", width)
        run("scan", prefs, *QUICK, "-o", "r.txt")
        reports.append(Path("r.txt").read_text())
    assert reports[0] == reports[1]
    assert "\x1b" not in reports[0]


def test_piped_output_is_plain(run: Any, prefs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in run("scan", prefs, *QUICK).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in run("scan", prefs, *QUICK).out


def on_a_terminal(command: list[str], **env: str) -> str:
    """What ``command`` writes when its stdout is a terminal of 100 columns."""
    pty = pytest.importorskip("pty", reason="pseudo-terminals exist on Unix only")
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm", "COLUMNS": "100", **env})
        os.execv(command[0], command)
    out = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.waitpid(pid, 0)
    os.close(fd)
    return out.decode()


def test_a_terminal_gets_colour_unless_asked_not_to(prefs: str) -> None:
    command = [sys.executable, "-m", "cr_audit", "scan", prefs, *QUICK, "--quiet"]
    coloured = on_a_terminal(command)
    assert "\x1b[1m" in coloured
    assert "\x1b" not in on_a_terminal(command, NO_COLOR="1")


def test_quiet_says_nothing_on_stderr(run: Any, prefs: str) -> None:
    done = run("scan", prefs, "--model", "lexical", "-q")
    assert done.code == 0
    assert done.err == ""


def test_standard_input(run: Any) -> None:
    data = jsonl(round_robin(DISTINCT[:4]))
    done = run("scan", "-", *QUICK, "--format", "json", stdin=data)
    assert done.code == 0
    document = parsed(done.out)
    assert document["dataset"]["files"][0]["path"] == "-"
    assert document["dataset"]["n_comparisons"] == 12
    assert run("scan", "-", *QUICK, stdin=b"").code == 3
    assert run("scan", "-", "-", *QUICK, stdin=data).code == 2


def test_several_files(run: Any, prefs: str, noted: str) -> None:
    document = parsed(run("scan", prefs, noted, *QUICK, "--format", "json").out)
    assert [f["path"] for f in document["dataset"]["files"]] == [prefs, noted]
    assert document["dataset"]["rows_read"] == 23


def test_two_runs_give_the_same_bytes_with_and_without_cache(run: Any) -> None:
    command = ("scan", CLEAN, "--model", "lexical", "--replicates", "50", "--format", "json")
    cold, warm, none = run(*command), run(*command), run(*command, "--no-cache")
    assert cold.code == 0
    assert cold.out == warm.out == none.out
    assert run(*command, "--seed", "1").out != cold.out


def test_full_text(run: Any) -> None:
    long = "word " * 80 + "end"
    Path("long.jsonl").write_bytes(jsonl([labelled("Why?", long, "short")]))
    for options, length in (((), 200), (("--full-text",), len(long))):
        document = parsed(run("scan", "long.jsonl", *QUICK, "--format", "json", *options).out)
        assert max(len(a["text"]) for a in document["alternatives"]) == length


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m cr_audit scan {ROBUST} --model lexical | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("cr-audit scan")
    assert done.stderr == ""
    assert done.returncode == 0
    # A reader that is gone before the first byte.
    command = f"{sys.executable} -m cr_audit scan {ROBUST} --model lexical --format json | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


# --- settings ----------------------------------------------------------------------------------


def settings_of(run: Any, prefs: str, *options: str) -> dict[str, Any]:
    done = run("scan", prefs, "--model", "none", "--format", "json", *options)
    assert done.code == 0, done.err
    found: dict[str, Any] = parsed(done.out)["settings"]
    return found


def test_precedence_flag_file_pyproject_default(run: Any, prefs: str) -> None:
    Path("pyproject.toml").write_text(
        "[tool.cr-audit]\nseed = 5\nn-replicates = 20\nspace = 'data-box'\n"
    )
    found = settings_of(run, prefs)
    assert found["seed"] == {"value": 5, "source": "pyproject.toml"}
    assert found["unit"] == {"value": "auto", "source": "default"}
    Path("cr-audit.toml").write_text("seed = 6\nn_replicates = 30\n")
    found = settings_of(run, prefs, "--seed", "7")
    assert found["seed"] == {"value": 7, "source": "flag"}
    assert found["n_replicates"] == {"value": 30, "source": "cr-audit.toml"}
    assert found["space"]["source"] == "default"  # one file counts, not a mixture of two
    Path("other.toml").write_text("seed = 8\n")
    found = settings_of(run, prefs, "--config", "other.toml")
    assert found["seed"] == {"value": 8, "source": "other.toml"}
    assert found["n_replicates"]["source"] == "default"


def test_a_flag_equal_to_the_default_is_a_flag(run: Any, prefs: str) -> None:
    assert settings_of(run, prefs, "--seed", "0")["seed"] == {"value": 0, "source": "flag"}


def test_settings_of_the_read_are_in_the_report(run: Any, prefs: str) -> None:
    found = settings_of(run, prefs, "--max-skipped", "0.5", "--expand-choices")
    assert found["max_skipped"] == {"value": 0.5, "source": "flag"}
    assert found["expand_choices"] == {"value": True, "source": "flag"}
    assert found["map"] == {"value": None, "source": "default"}


def test_a_mapping_in_the_settings_file(run: Any) -> None:
    rows = [{"q": "Why?", "up": DISTINCT[k], "down": DISTINCT[k + 1]} for k in range(3)]
    Path("own.jsonl").write_bytes(jsonl(rows))
    Path("cr-audit.toml").write_text('[map]\nprompt = "q"\nchosen = "up"\nrejected = "down"\n')
    done = run("scan", "own.jsonl", *QUICK, "--format", "json")
    assert done.code == 0, done.err
    assert parsed(done.out)["dataset"]["schema"][0]["how"] == "mapped"
    Path("cr-audit.toml").unlink()
    assert run("scan", "own.jsonl", *QUICK).code == 3
    flag = ("--map", "prompt=q,chosen=up,rejected=down")
    assert run("scan", "own.jsonl", *QUICK, *flag).code == 0
    done = run("scan", "own.jsonl", *QUICK, "--map", "prompt=q,chosen=upp,rejected=down")
    assert done.code == 3
    assert "upp" in done.err


SETTINGS_FILES: list[tuple[str, int, str]] = [
    ("sede = 1\n", 3, "did you mean seed?"),
    ("colour = 'red'\n", 3, "known settings: "),
    ("seed = \n", 3, "not valid TOML"),
    ("seed = 'one'\n", 2, "--seed must be"),
    ("seed = -1\n", 2, "--seed"),
    ("seed = 1.5\n", 2, "--seed"),
    ("seed = true\n", 2, "--seed"),
    ("unit = 'modle'\n", 2, "did you mean model?"),
    ("radius = 7\n", 2, "--radius"),
    ("radius = 'wide'\n", 2, "--radius"),
    ("max-skipped = 2\n", 2, "--max-skipped"),
    ("confidence-level = 5\n", 2, "--confidence-level"),
    ("precision = 0\n", 2, "--precision"),
    ("n-replicates = 1\n", 2, "--replicates"),
    ("replicates = 1.5\n", 2, "--replicates"),
    ("expand-choices = 'yes'\n", 2, "--expand-choices"),
    ("map = 'prompt=q'\n", 2, "map"),
    ("schema = 3\n", 2, "--schema"),
]


def test_flags_and_settings_files_have_the_same_bounds() -> None:
    """Both come from the table of settings."""
    bounds = {}
    for name, (hint, _) in signature_of(scan.COMMAND).items():
        option = hint.__metadata__[0]
        if getattr(option, "min", None) is not None and name in SETTINGS:
            high = math.inf if option.max is None else option.max
            bounds[name] = (option.min, high)
    table = SETTINGS.values()
    ranged = [s for s in table if math.isfinite(s.low) and not s.fits]
    # kinds may also be "auto" and memory has a unit: no numbers to the command line.
    of_text = ("kinds", "memory")
    assert bounds == {s.name: (s.low, s.high) for s in ranged if s.name not in of_text}
    assert bounds["seed"] == (0, math.inf)


@pytest.mark.parametrize(("content", "code", "said"), SETTINGS_FILES)
def test_bad_settings_files(run: Any, prefs: str, content: str, code: int, said: str) -> None:
    Path("cr-audit.toml").write_text(content)
    done = run("scan", prefs, "--model", "none")
    assert done.code == code, done.err
    assert said in done.err
    assert "cr-audit.toml" in done.err
    assert "Traceback" not in done.err


def test_a_settings_file_that_is_not_there(run: Any, prefs: str) -> None:
    done = run("scan", prefs, "--config", "none.toml")
    assert done.code == 3
    assert "none.toml: the settings file does not exist" in done.err


def test_make_scan_runs_what_the_readme_says() -> None:
    """The command behind `make scan`, with the quick encoder."""
    name = "sample_data/clone_robust.jsonl"
    done = subprocess.run(
        [sys.executable, "-m", "cr_audit", "scan", name, "--model", "lexical"],
        cwd=SAMPLES.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Weighted, atlas-2 leads instead of boreal-7b" in done.stdout
