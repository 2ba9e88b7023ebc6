"""The sample data: reproducible to the byte, readable, and it shows what its README says."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cr_audit.arrays import Comparisons
from cr_audit.clones.shingles import text_distance
from cr_audit.models.rankings import RankShift, bootstrap_win_rates
from cr_audit.simulate.clone_robust import (
    DEFAULT_CLONES,
    KINDS,
    MAX_CLONES,
    Row,
    clone_robust_dataset,
    systems,
    write,
)
from cr_audit.simulate.sample_texts import QUESTIONS
from cr_audit.weights.schemes.cluster import cluster_weights

SAMPLES = Path(__file__).resolve().parents[3] / "sample_data"


def rows_of(name: str) -> list[Row]:
    lines = (SAMPLES / name).read_text(encoding="utf-8").splitlines()
    return [Row(**json.loads(line)) for line in lines]


def shift_of(rows: list[Row], *, by_model: bool, clustered: bool) -> tuple[RankShift, list[str]]:
    """Copies of one kind share a vote, as an ideal clone detector would have it."""
    kind = dict(systems(MAX_CLONES))
    prompts = {q.prompt: i for i, q in enumerate(QUESTIONS)}
    keys = sorted(
        {
            (prompts[r.prompt] if not by_model else 0, m)
            for r in rows
            for m in (r.model_a, r.model_b)
        }
    )
    index = {key: i for i, key in enumerate(keys)}
    winner, loser, outcome = [], [], []
    for r in rows:
        group = 0 if by_model else prompts[r.prompt]
        a, b = index[group, r.model_a], index[group, r.model_b]
        winner.append(b if r.winner == "model_b" else a)
        loser.append(a if r.winner == "model_b" else b)
        outcome.append(0.5 if r.winner == "tie" else 1.0)
    annotator = [int(r.annotator.removeprefix("rater-")) for r in rows]
    weights = cluster_weights(np.array([group * 3 + kind[m] for group, m in keys])).weights
    shift = bootstrap_win_rates(
        Comparisons.of(len(keys), winner, loser, outcome),
        weights,
        clusters=np.array(annotator) if clustered else None,
        rng=np.random.default_rng(0),
    )
    return shift, [m for _, m in keys]


@pytest.mark.parametrize(("name", "clones"), [("clone_robust", DEFAULT_CLONES), ("clean", 0)])
def test_the_sample_files_are_what_the_generator_writes(
    tmp_path: Path, name: str, clones: int
) -> None:
    n = write(tmp_path / "again.jsonl", clones=clones)
    written = (tmp_path / "again.jsonl").read_bytes()
    assert written == (SAMPLES / f"{name}.jsonl").read_bytes()
    assert written.count(b"\n") == n
    assert len(written) <= 1_000_000


def test_another_seed_is_another_file(tmp_path: Path) -> None:
    write(tmp_path / "a", seed=1)
    write(tmp_path / "b", seed=2)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("clones", [0, 1, DEFAULT_CLONES, MAX_CLONES])
def test_any_number_of_copies_all_different(clones: int) -> None:
    rows = clone_robust_dataset(clones=clones, rng=np.random.default_rng(0))
    texts = {(r.prompt, r.response_a) for r in rows} | {(r.prompt, r.response_b) for r in rows}
    assert len(texts) == 3 * (3 + clones)
    assert len({m for r in rows for m in (r.model_a, r.model_b)}) == 3 + clones
    judged = Counter((r.annotator, r.prompt, *sorted((r.model_a, r.model_b))) for r in rows)
    assert max(judged.values()) == 1, "nobody judges a pair twice"


@pytest.mark.parametrize("clones", [-1, MAX_CLONES + 1])
def test_too_many_copies(clones: int) -> None:
    with pytest.raises(ValueError, match="clones"):
        clone_robust_dataset(clones=clones, rng=np.random.default_rng(0))


def test_every_edit_applies_once_and_every_variant_is_new() -> None:
    for q in QUESTIONS:
        for old, _ in q.edits:
            assert q.chatty.count(old) == 1
        variants = q.variants()
        assert len({q.chatty, *variants}) == 1 + len(variants)


def test_copies_are_near_and_answers_of_other_kinds_are_far() -> None:
    for q in QUESTIONS:
        near = [text_distance(q.chatty, v) for v in q.variants()]
        kinds = [getattr(q, kind) for kind in KINDS]
        far = [text_distance(a, b) for a in kinds for b in kinds if a != b]
        assert max(near) < 0.3 < 0.8 < min(far)


@pytest.mark.parametrize("clustered", [False, True], ids=["rows", "raters"])
@pytest.mark.parametrize("by_model", [False, True], ids=["responses", "models"])
def test_clones_flip_the_winner_and_weights_flip_it_back(by_model: bool, clustered: bool) -> None:
    shift, names = shift_of(rows_of("clone_robust.jsonl"), by_model=by_model, clustered=clustered)
    assert names[shift.leader_average] == "boreal-7b"
    assert names[shift.leader_weighted] == "atlas-2"
    assert shift.sure_leader > (0.99 if by_model else 0.75)
    if by_model:
        assert [n for n, f in zip(names, shift.flagged, strict=True) if f] == [
            "atlas-2",
            "boreal-7b",
        ]
    for component in range(int(shift.rates.component.max()) + 1):
        inside = shift.rates.component == component
        first = {
            r: names[int(np.flatnonzero(inside & (getattr(shift.rates, r) == 1))[0])]
            for r in ("rank_average", "rank_weighted")
        }
        assert first == {"rank_average": "boreal-7b", "rank_weighted": "atlas-2"}


@pytest.mark.parametrize("by_model", [False, True], ids=["responses", "models"])
def test_nothing_to_report_without_clones(by_model: bool) -> None:
    shift, names = shift_of(rows_of("clean.jsonl"), by_model=by_model, clustered=True)
    assert names[shift.leader_average] == names[shift.leader_weighted] == "atlas-2"
    assert not shift.flagged.any()
    assert shift.within_noise.all()


def test_the_readme_gives_the_numbers_of_the_files() -> None:
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    for name in ("clone_robust.jsonl", "clean.jsonl"):
        rows = rows_of(name)
        texts = {t for r in rows for t in ((r.prompt, r.response_a), (r.prompt, r.response_b))}
        size = len((SAMPLES / name).read_bytes()) / 1000
        line = next(x for x in text.splitlines() if x.startswith(f"| `{name}`"))
        assert [int(x.replace(",", "")) for x in re.findall(r"\| ([\d,]+) ", line)] == [
            len(rows),
            len(texts),
            len({m for r in rows for m in (r.model_a, r.model_b)}),
            len({r.annotator for r in rows}),
            sum(r.winner == "tie" for r in rows),
            round(size),
        ]
    shift, names = shift_of(rows_of("clone_robust.jsonl"), by_model=True, clustered=True)
    table = dict(re.findall(r"^\| ([a-z]+-[\w-]+) \| (.*) \|$", text, re.MULTILINE))
    assert sorted(table) == sorted(names)
    for i, name in enumerate(names):
        expected = (
            f"{shift.rates.average[i]:.3f} | {shift.rates.rank_average[i]}"
            f" | {shift.rates.weighted[i]:.3f} | {shift.rates.rank_weighted[i]}"
        )
        assert table[name] == expected, f"{name}: {expected}"
