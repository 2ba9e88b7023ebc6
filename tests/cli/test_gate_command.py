"""``cr-audit gate`` as a user runs it: exit codes, golden files of every format, its own files."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema
from sarif_schema import SARIF

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "golden" / "gate"
MAIN = "sample_data/gate/main.jsonl"
FORMATS = ("table", "json", "markdown", "sarif", "junit", "github")
SUFFIX = {"table": "txt", "json": "json", "markdown": "md", "sarif": "sarif", "junit": "xml"}
EXIT = {"clean": 0, "cloned": 1, "broken": 3}


def gate(*args: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cr_audit", "gate", "--model", "lexical", *args]
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def reports(folder: Path) -> list[str]:
    return [f"--report={f}={folder / f}.{SUFFIX.get(f, 'txt')}" for f in FORMATS]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Path]]:
    """Each batch of the sample data, once, in all formats."""
    out = {}
    for name in EXIT:
        folder = tmp_path_factory.mktemp(name)
        batch = f"sample_data/gate/batch_{name}.jsonl"
        out[name] = gate("--baseline", MAIN, batch, "--no-cache", *reports(folder)), folder
    return out


@pytest.mark.parametrize("name", EXIT)
def test_exit_codes_of_the_sample_batches(name: str, runs: dict[str, tuple[Any, Path]]) -> None:
    run, folder = runs[name]
    assert run.returncode == EXIT[name], run.stderr
    if name == "broken":
        assert run.stderr == golden("broken_stderr.txt", run.stderr)
        assert run.stdout == ""
        assert list(folder.iterdir()) == [], "no report of a batch that was not judged"


def golden(name: str, text: str) -> str:
    """The golden file's text; GATE_GOLDEN=write writes it anew."""
    path = GOLDEN / name
    if os.environ.get("GATE_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def close(a: Any, b: Any) -> bool:
    """Equal but for the last digits of numbers, which a processor may decide."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(close(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) or isinstance(b, float):
        return bool(a == pytest.approx(b, rel=1e-3, abs=1e-6))
    return bool(a == b)


@pytest.mark.parametrize("name", ["clean", "cloned"])
@pytest.mark.parametrize("format_", FORMATS)
def test_golden_files(name: str, format_: str, runs: dict[str, tuple[Any, Path]]) -> None:
    """Of the JSON, what the gate adds to the scan's."""
    path = runs[name][1] / f"{format_}.{SUFFIX.get(format_, 'txt')}"
    text = path.read_text(encoding="utf-8")
    if format_ == "json":
        document = json.loads(text)
        kept = {key: document[key] for key in ("gate", "findings", "verdict")}
        text = json.dumps(kept, indent=1) + "\n"
    expected = golden(f"{name}_{path.name}", text)
    if format_ == "json":
        assert close(json.loads(text), json.loads(expected))
    else:
        assert text == expected


def test_two_runs_and_other_cores_give_the_same_bytes(
    tmp_path: Path, runs: dict[str, tuple[Any, Path]]
) -> None:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
    batch = "sample_data/gate/batch_cloned.jsonl"
    gate("--baseline", MAIN, batch, "--no-cache", *reports(tmp_path), **threads)
    for path in runs["cloned"][1].iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.fixture
def gated(run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command inside the test process, from the repository's root unless told otherwise."""
    monkeypatch.setenv("COLUMNS", "100")

    def call(*args: str, cwd: Path = ROOT) -> Any:
        monkeypatch.chdir(cwd)
        return run("gate", "--model", "lexical", *args)

    return call


@pytest.mark.parametrize("cache", ["without", "shared"])
def test_the_order_of_rows_and_files_does_not_matter(
    cache: str, tmp_path: Path, gated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CR_AUDIT_CACHE", str(tmp_path / "cache"))
    flags = ["--no-cache"] if cache == "without" else []

    def verdict(folder: str, baseline: list[str], batch: list[str]) -> Any:
        out = tmp_path / f"{folder}.json"
        options = [x for b in baseline for x in ("--baseline", b)]
        gated(*options, *batch, *flags, f"--report=json={out}", "-q")
        document = json.loads(out.read_text())
        for finding in document["findings"]:
            del finding["rows"]
        for side in ("baseline", "batch"):
            del document["gate"][side]["files"]
        for cluster in document["gate"]["clusters"]:
            assert sum(map(len, cluster.pop("rows_new"))) == cluster["n_rows_new"]
        return {key: document[key] for key in ("gate", "findings", "verdict", "win_rates")}

    files: dict[str, list[str]] = {}
    for name in ("main", "batch_cloned"):
        lines = (ROOT / "sample_data" / "gate" / f"{name}.jsonl").read_text().splitlines(True)
        random.Random(5).shuffle(lines)
        for part in (0, 1):
            path = tmp_path / f"{name}{part}.jsonl"
            path.write_text("".join(lines[part::2]))
            files.setdefault(name, []).append(str(path))
    one = verdict("one", files["main"], files["batch_cloned"])
    two = verdict("two", files["main"][::-1], files["batch_cloned"][::-1])
    whole = verdict("whole", [MAIN], ["sample_data/gate/batch_cloned.jsonl"])
    assert one == two == whole


def test_known_findings_are_marked_and_refused_where_they_do_not_fit(
    tmp_path: Path, gated: Any
) -> None:
    known = str(tmp_path / "known.json")
    batch = "sample_data/gate/batch_cloned.jsonl"
    first = gated("--baseline", MAIN, batch, "--write-baseline", known)
    assert first.code == 1
    second = gated("--baseline", MAIN, batch, "--known", known)
    assert second.code == 0, second.out
    assert "known" in second.out
    clean = gated("--baseline", MAIN, "sample_data/gate/batch_clean.jsonl", "--known", known)
    assert clean.code == 0
    assert "No longer found" in clean.out
    for option, says in ((("--radius", "0.3"), "radius"), (("--model", "none"), "embedding")):
        other = gated("--baseline", MAIN, batch, "--known", known, *option)
        assert other.code == 3, other.out
        assert f"another {says}" in other.err
    Path(known).write_text("{")
    assert gated("--baseline", MAIN, batch, "--known", known).code == 3
    assert gated("--baseline", MAIN, batch, "--known", str(tmp_path / "none")).code == 3


def test_policy_file_and_waivers(tmp_path: Path, gated: Any) -> None:
    main = str(ROOT / MAIN)
    batch = str(ROOT / "sample_data/gate/batch_cloned.jsonl")
    made = gated("--init", cwd=tmp_path)
    assert made.code == 0, made.err
    path = tmp_path / "cr-audit.toml"
    assert tomllib.loads(path.read_text())["gate"]["profile"] == "default"
    assert gated("--init", cwd=tmp_path).code == 2, "an existing file is not overwritten"
    assert gated("--baseline", main, batch, cwd=tmp_path).code == 1
    waiver = (
        '[[gate.waivers]]\nrule = "CR60[678]"\nreason = "r"\nowner = "o"\nexpires = 2026-06-30\n'
    )
    path.write_text(path.read_text() + waiver)
    day = ("--baseline", main, batch)
    held = gated(*day, "--today", "2026-06-30", cwd=tmp_path)
    assert held.code == 0, held.out
    assert "waived" in held.out
    over = gated(*day, "--today", "2026-07-01", cwd=tmp_path)
    assert over.code == 1
    assert "CR616" in over.out
    path.write_text("[gate]\nfail_on = 'note'\n")
    wrong = gated(*day, cwd=tmp_path)
    assert wrong.code == 3
    assert "did you mean fail-on?" in wrong.err
    path.unlink()
    (tmp_path / "pyproject.toml").write_text('[tool.cr-audit.gate]\nfail-on = "never"\n')
    assert gated(*day, cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ([], 2, "wants a baseline (--baseline FILE) and a batch (FILE)"),
        (["sample_data/gate/batch_clean.jsonl"], 2, "wants a baseline"),
        (["--baseline", MAIN], 2, "wants a batch"),
        (["--baseline", "none.jsonl", MAIN], 3, "none.jsonl"),
        (["--baseline", MAIN, "none.jsonl"], 3, "none.jsonl"),
        (["--baseline", MAIN, MAIN, "--report", "pdf=x"], 2, "FORMAT=FILE"),
        (["--baseline", MAIN, MAIN, "--report", "json=-", "--report", "sarif=-"], 2, "stdout"),
        (["--baseline", MAIN, MAIN, "--report=json=a", "--report=sarif=./a"], 2, "to one file"),
        (["--baseline", MAIN, MAIN, "--config", "none.toml"], 3, "after --config"),
        (["--baseline", MAIN, MAIN, "--today", "soon"], 2, "2027-06-30"),
        (["--baseline", MAIN, MAIN, "--report", "json=no/such/dir/x"], 4, "cannot be written"),
    ],
)
def test_refusals(args: list[str], code: int, says: str, gated: Any) -> None:
    run = gated(*args)
    assert run.code == code, run.err
    assert says in run.err
    assert "Traceback" not in run.err


def test_a_batch_passes_once_the_rows_named_are_dropped(tmp_path: Path, gated: Any) -> None:
    """What the advice says is true, and the JSON report holds every row."""
    sample = ROOT / "sample_data" / "gate"
    rows = (sample / "batch_clean.jsonl").read_text().splitlines(keepends=True)
    rows += (sample / "batch_cloned.jsonl").read_text().splitlines(keepends=True)
    batch, out = tmp_path / "batch.jsonl", tmp_path / "out.json"
    batch.write_text("".join(rows))
    run = gated("--baseline", MAIN, str(batch), f"--report=json={out}")
    assert run.code == 1
    assert "Drop the 240 rows that hold the 12 new copies" in run.out
    clusters = json.loads(out.read_text())["gate"]["clusters"]
    dropped = {row for c in clusters for of_copy in c["rows_new"] for row in of_copy}
    assert dropped == {f"{batch}:{k}" for k in range(81, 321)}
    lines = {int(row.rpartition(":")[2]) for row in dropped}
    batch.write_text("".join(row for k, row in enumerate(rows, 1) if k not in lines))
    assert gated("--baseline", MAIN, str(batch)).code == 0


def test_one_report_on_stdout_and_exit_zero(gated: Any) -> None:
    batch = "sample_data/gate/batch_cloned.jsonl"
    run = gated("--baseline", MAIN, batch, "--report", "markdown=-", "--exit-zero", "-q")
    assert run.code == 0
    assert run.out.startswith("## cr-audit gate: ")
    assert "\n**FAIL** clones move the leader" in run.out
    assert run.err == ""


def test_killed_at_any_moment_it_leaves_nothing_broken(tmp_path: Path) -> None:
    """Kill -9, five times (or CR_AUDIT_KILLS times): the next run gives the same bytes."""
    n = os.environ.get("CR_AUDIT_KILLS", "5")
    run = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "cli" / "killed_runs.py"), str(tmp_path), n],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    n_killed, n_exact = map(int, run.stdout.split())
    assert n_killed == int(n)
    assert n_exact >= 1, "some runs are killed just as a file takes its place"


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_warm_cache_gives_the_same_bytes(
    threads: str, tmp_path: Path, runs: dict[str, tuple[Any, Path]]
) -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
    env = {**dict.fromkeys(names, threads), "CR_AUDIT_CACHE": str(tmp_path / "cache")}
    for state in ("cold", "warm", "damaged"):
        folder = tmp_path / state
        folder.mkdir()
        if state == "damaged":
            for entry in (tmp_path / "cache").glob("kept-*.bin"):
                raw = entry.read_bytes()
                entry.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
        done = gate("--baseline", MAIN, "sample_data/gate/batch_cloned.jsonl", *reports(folder),
                    **env)  # fmt: skip
        assert ("is damaged; it is computed again" in done.stderr) == (state == "damaged")
        for path in runs["cloned"][1].iterdir():
            assert (folder / path.name).read_bytes() == path.read_bytes(), (state, path.name)


def test_a_batch_costs_the_batch(tmp_path: Path, gated: Any, monkeypatch: Any) -> None:
    """Against a known baseline nothing of it is read, and its clones and weights are not found
    anew; rows in another order share all but the reading; --no-cache neither reads nor writes."""
    import cr_audit.analysis.compose
    import cr_audit.clones.growing
    import cr_audit.readers
    from cr_audit.weights.schemes import RECOMMENDED, SCHEMES

    monkeypatch.setenv("CR_AUDIT_CACHE", str(tmp_path / "cache"))
    calls: list[str] = []

    def counted(module: Any, name: str) -> None:
        real = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, call)

    counted(cr_audit.readers, "read")
    counted(cr_audit.analysis.compose, "find_growing_clones")
    scheme = SCHEMES.get(RECOMMENDED)
    weigh = scheme.weigh

    def weighing(items: Any, *args: Any) -> Any:
        if items.growth is not None:  # of all answers; models are weighed by themselves
            calls.append("weigh")
        return weigh(items, *args)

    monkeypatch.setattr(scheme, "weigh", weighing)
    counted(cr_audit.clones.growing, "search_all")

    def called(baseline: str, name: str, *more: str) -> tuple[int, ...]:
        calls.clear()
        gated("--baseline", baseline, f"sample_data/gate/batch_{name}.jsonl", "-q", *more)
        names = ("read", "find_growing_clones", "weigh", "search_all")
        return tuple(calls.count(n) for n in names)

    assert called(MAIN, "cloned", "--no-cache") == (2, 2, 2, 1)
    assert not (tmp_path / "cache").exists()
    assert called(MAIN, "clean") == (2, 1, 1, 1), "a batch without new texts changes none of them"
    assert called(MAIN, "clean") == (1, 0, 0, 0)
    assert called(MAIN, "cloned") == (1, 1, 1, 0), "its new texts are added to the known ones"
    assert called(MAIN, "cloned", "--seed", "1") == (1, 2, 2, 0)
    assert called(MAIN, "cloned", "--radius", "0.3") == (1, 2, 0, 1)
    assert called(MAIN, "cloned", "--model", "none") == (1, 2, 0, 0)
    turned = tmp_path / "turned.jsonl"
    turned.write_text("".join((ROOT / MAIN).read_text().splitlines(True)[::-1]))
    assert called(str(turned), "cloned") == (2, 0, 0, 0)
    with turned.open("a") as more:
        more.write((ROOT / MAIN).read_text().splitlines(True)[0])
    assert called(str(turned), "cloned") == (2, 0, 0, 0), "one more vote changes no text"
    assert called(MAIN, "cloned", "--no-cache") == (2, 2, 2, 1)


@pytest.mark.parametrize("name", ["clean", "cloned"])
def test_the_golden_sarif_is_valid_by_the_standards_schema(name: str) -> None:
    log = (Path(__file__).parents[1] / "golden" / "gate" / f"{name}_sarif.sarif").read_text()
    parsed = StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate_json(log)
    assert len(parsed.runs) == 1
    broken = json.loads(log)
    SARIF.validate(broken)
    broken["runs"][0]["results"].append({"message": {"text": "x"}, "level": "fatal"})
    broken["runs"][0]["invented"] = 1
    errors = sorted(e.message for e in SARIF.iter_errors(broken))
    assert len(errors) == 2
    assert "'invented' was unexpected" in errors[1]
    with pytest.raises(ValueError, match="invented"):
        StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate_json(json.dumps(broken))


def test_no_report_of_an_earlier_run_outlives_an_unreadable_batch(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    files = reports(folder)
    for name, code in (("cloned", 1), ("broken", 3)):
        batch = f"sample_data/gate/batch_{name}.jsonl"
        done = gate("--baseline", MAIN, batch, "--no-cache", *files)
        assert done.returncode == code
        left = sorted(path.name for path in folder.iterdir())
        assert bool(left) is (code == 1), left


def test_a_report_never_falls_on_an_input(tmp_path: Path) -> None:
    batch = tmp_path / "batch.jsonl"
    batch.write_bytes((ROOT / "sample_data" / "gate" / "batch_clean.jsonl").read_bytes())
    before = batch.read_bytes()
    done = gate("--baseline", MAIN, str(batch), "--no-cache", "--report", f"json={batch}")
    assert done.returncode == 2
    assert "would replace a file that is read" in done.stderr
    assert batch.read_bytes() == before


def test_data_weighed_within_prompts_goes_through_the_cache(tmp_path: Path) -> None:
    """The sample batches have few responses per prompt; real data often has many."""
    rows = (ROOT / "sample_data" / "clone_robust.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "main.jsonl").write_text("".join(rows[: -len(rows) // 10]))
    (tmp_path / "batch.jsonl").write_text("".join(rows[-len(rows) // 10 :]))
    asked = "--baseline", "main.jsonl", "batch.jsonl", "--format", "json"
    env = {"CR_AUDIT_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    cold, warm = (gate(*asked, cwd=tmp_path, **env) for _ in range(2))
    without = gate(*asked, "--no-cache", cwd=tmp_path, **env)
    assert cold.returncode == warm.returncode == without.returncode == 0, cold.stderr
    assert cold.stdout == warm.stdout == without.stdout
    assert json.loads(cold.stdout)["weights"]["scope"]["value"] == "prompt"
    assert list((tmp_path / "cache").glob("kept-*.bin"))
