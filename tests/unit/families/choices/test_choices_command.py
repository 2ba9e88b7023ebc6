"""``cr-audit choices``: every format carries the family, errors help, nothing hostile gets out."""

from __future__ import annotations

import html
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from list_rows import dichotomy, nectar

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "cli"))
from in_process import called


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Lists whose reward has the wrong sign, with a hostile name."""
    rng = np.random.default_rng(1)
    kinds = rng.permuted(np.tile([0, 0, 0, 1], (250, 1)), axis=1)
    wants = (rng.random(250) >= 0.62).astype(int)
    chosen = np.where(kinds == wants[:, None], rng.random((250, 4)), -1).argmax(axis=1)
    rows = nectar(kinds, chosen, ("::error::\x1b[31m<b>|long", "short"))
    path = tmp_path_factory.mktemp("lists") / "lists.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows))
    return str(path)


def run(folder: Path, *args: str, command: str = "choices") -> tuple[int, str, str]:
    """One run with few resamples and no encoder; the report as a file holds it."""
    target = folder / "report"
    code, _, err = called(
        [command, *args, "--model", "none", "--replicates", "50", "--no-cache", "-o", str(target)]
    )
    return code, target.read_text() if target.exists() else "", err


FORMATS = ("table", "json", "markdown", "html", "csv", "sarif", "junit", "github")


def test_every_format_carries_the_family(lists: str, tmp_path: Path) -> None:
    files = {f: tmp_path / f"out.{f}" for f in FORMATS}
    asked = [part for f, path in files.items() for part in ("--report", f"{f}={path}")]
    code, _, err = run(tmp_path, lists, "--format", "csv", *asked)
    assert code == 0, err
    out = {f: path.read_text() for f, path in files.items()}
    assert all("\x1b[31m" not in text for text in out.values())
    assert "<b>" not in out["html"]
    assert all("CR702" in out[f] for f in FORMATS if f != "csv")
    assert "rho_chosen" in out["csv"]
    part = json.loads(out["json"])["choices"]
    assert part["verdict"] == "cannot-tell"
    assert part["groupings"][0]["pairs"][0]["flagged"] is True
    assert part["remedies"]["recommended"] == "balanced-pairs"


def test_a_finding_fails_the_run_where_asked(lists: str, tmp_path: Path) -> None:
    assert run(tmp_path, lists, "--format", "csv", "--fail-on", "error")[0] == 1


def test_pairs_alone_are_a_report_not_an_error(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"q{i}", "chosen": f"yes {i}", "rejected": f"no, not at all {i}"}
        for i in range(40)
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows))
    code, out, err = run(tmp_path, str(path), "--plan", "4", "--format", "table")
    assert code == 0, err
    assert "pairs cannot show" in " ".join(out.split())
    assert "CR709" in out


def test_a_plan_of_one_is_a_usage_error(lists: str) -> None:
    code, _, err = called(["choices", lists, "--plan", "1"])
    assert code == 2
    assert "plan" in err


def test_two_runs_are_the_same_bytes(tmp_path: Path) -> None:
    rows = dichotomy(np.random.default_rng(3), 120, 4, 0.6, 0.6)
    path = tmp_path / "lists.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows))
    one, two = (run(tmp_path, str(path), "--format", "json")[1] for _ in range(2))
    assert one == two
    scan = run(tmp_path, str(path), "--format", "json", command="scan")[1]
    assert "choices" not in json.loads(scan), "lists are looked at by their own command"


def shaped(shape: str, n: int = 60) -> list[dict[str, object]]:
    """Rows of a public layout: best and rest with ties, or four models rated on four aspects."""
    rng = np.random.default_rng(7)
    rows: list[dict[str, object]] = []
    for i in range(n):
        if shape == "rewardbench-2":
            n_right, n_wrong = ((1, 3), (4, 9))[int(rng.random() < 0.3)]
            chosen = [f"right {i} {j} " + "word " * int(rng.integers(3, 9)) for j in range(n_right)]
            wrong = [f"wrong {i} {j} " + "word " * int(rng.integers(3, 9)) for j in range(n_wrong)]
            row = {"id": str(i), "prompt": f"q{i}", "chosen": chosen, "rejected": wrong}
            rows.append(row | {"num_correct": n_right, "subset": "Ties" if n_right > 1 else "Math"})
            continue
        completions = [
            {
                "model": model,
                "response": f"{model} says {i} " + "word " * int(rng.integers(3, 9)),
                "annotations": {
                    aspect: {"Rating": str(int(np.clip(round(rng.normal(4 - j, 1)), 1, 5)))}
                    for aspect in ("helpfulness", "honesty", "truthfulness")
                },
                "overall_score": float(np.clip(round(rng.normal(8 - j, 2)), 1, 10)),
            }
            for j, model in enumerate(("m1", "m2", "m3", "m4"))
        ]
        rows.append({"instruction": f"q{i}", "models": [], "completions": completions})
    return rows


@pytest.mark.parametrize(
    ("shape", "schema", "best"),
    [
        ("rewardbench-2", "chosen_rejected_lists", "rank 1 is best"),
        ("ultrafeedback", "ultrafeedback", "the highest score is best"),
    ],
)
def test_lists_of_public_shapes_say_what_they_hold_and_which_end_is_best(
    shape: str, schema: str, best: str, tmp_path: Path
) -> None:
    rows, path = shaped(shape), tmp_path / "lists.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    code, text, err = run(tmp_path, str(path), "--format", "markdown")
    assert code == 0, err
    text = html.unescape(text)
    assert f"60 rows read as {schema}" in text
    assert best in text
    assert "nan" not in text.lower()
    if shape == "rewardbench-2":
        assert "their order is not what was shown" in text
    else:  # the planted order of the models
        code, text, _ = run(tmp_path, str(path), "--format", "json")
        kinds = json.loads(text)["choices"]["groupings"][0]["categories"]
        assert [k["name"] for k in kinds] == ["m1", "m2", "m3", "m4"]
