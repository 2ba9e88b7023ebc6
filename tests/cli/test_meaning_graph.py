"""The graph of meaning through the command line: --index, the scan's details, the cache."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from cr_audit.analysis import compose
from cr_audit.analysis import meaning as stage
from cr_audit.clones import neighbours
from cr_audit.contract import schema

Run = Callable[..., Any]
QUICK = ("--model", "lexical", "--weights", "uniform", "-q")
WORDS = [f"word{i}" for i in range(300)]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 pairs of answers in words drawn at random; one of them stands twice."""
    rng = np.random.default_rng(5)
    texts = [" ".join(rng.choice(WORDS, 12)) for _ in range(120)]
    texts[1] = texts[0]
    rows = [
        {
            "prompt": f"question {i}",
            "chosen": texts[2 * i + 1],
            "rejected": texts[(2 * i + 2) % 120],
        }
        for i in range(60)
    ]
    path = tmp_path_factory.mktemp("meaning") / "pairs.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def meaning(run: Run, *args: str) -> dict[str, Any]:
    done = run("scan", *args, "--format", "json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    jsonschema.validate(document, schema())
    found: dict[str, Any] = document["meaning"]
    return found


def test_each_index_finds_the_same_neighbours(run: Run, pairs: Path) -> None:
    made = {
        i: meaning(run, str(pairs), *QUICK, "--index", i)
        for i in ("auto", "exact", "cells", "hnsw")
    }
    for asked, m in made.items():
        assert m["asked"] == asked
        assert m["index"] == ("exact" if asked == "auto" else asked)
        assert (m["n"], m["n_distinct"], m["k"]) == (119, 119, 80)
        assert m["health"] == made["exact"]["health"]
        if m["index"] == "exact":
            assert "not_applicable" in m["recall"]
            assert (m["parameters"], m["n_recall_sample"]) == ({}, 0)
        else:
            assert (m["recall"], m["n_recall_sample"]) == (1.0, 119)
    assert set(made["hnsw"]["parameters"]) == {"m", "ef_construction", "ef"}
    assert set(made["cells"]["parameters"]) == {"n_cells", "n_probes"}


def test_the_details_say_how_it_was_made(run: Run, pairs: Path) -> None:
    done = run("scan", str(pairs), *QUICK, "--index", "hnsw", "--details")
    assert "Graph of meaning" in done.out
    assert "graph: 119 different responses, 80 nearest of each by an HNSW graph (m 16" in done.out
    assert "recall 1.000" in done.out
    assert "Graph of meaning" not in run("scan", str(pairs), *QUICK).out.split("--details")[0]


def test_the_page_shows_it(run: Run, pairs: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("scan", str(pairs), *QUICK, "--format", "html", "-o", str(page)).code == 0
    assert "80 nearest of each by exact search" in page.read_text(encoding="utf-8")


def test_without_hnswlib(run: Run, pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "find_spec", lambda name: None)
    done = run("scan", str(pairs), *QUICK, "--index", "hnsw")
    assert done.code == 4
    assert "hnswlib, which is not installed" in done.err
    assert "--index cells" in done.err


def test_an_unknown_index(run: Run, pairs: Path) -> None:
    done = run("scan", str(pairs), *QUICK, "--index", "annoy")
    assert done.code == 2
    assert "annoy" in done.err


def test_it_is_made_once_and_kept(run: Run, pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "PARTS_KEPT", 0)
    made = []
    real = stage.meaning_graph

    def counted(*args: Any, **more: Any) -> Any:
        made.append(1)
        return real(*args, **more)

    monkeypatch.setattr(stage, "meaning_graph", counted)
    first = run("scan", str(pairs), *QUICK, "--format", "json").out
    assert len(made) == 2  # of responses, for kinds and for the report, and of prompts
    assert run("scan", str(pairs), *QUICK, "--format", "json").out == first
    assert len(made) == 2
    run("scan", str(pairs), *QUICK, "--index", "cells")
    assert len(made) == 3  # another index is another graph; a terminal shows none of prompts


def test_without_vectors(run: Run, pairs: Path) -> None:
    found = meaning(run, str(pairs), "--model", "none", "--weights", "uniform", "-q")
    assert "not_applicable" in found
