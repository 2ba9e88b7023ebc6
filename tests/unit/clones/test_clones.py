"""Clone clusters: kinds, scopes, bounded diameters, and no dependence on the order of rows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from cr_audit.arrays import NotApplicable
from cr_audit.clones import pairs as text_pairs_module
from cr_audit.clones.find import DEFAULT_RADIUS, CloneReport, Cluster, find_clones
from cr_audit.clones.shingles import text_distance

RNG = np.random.default_rng
PARAGRAPH = (
    "Basil needs light, warmth and water from below. Put the pot on a bright window. Pour water "
    "into the saucer, wait half an hour, and tip out the rest."
)
OTHER = (
    "Most plants from the shop die because too many seedlings share one small pot, so split them "
    "first and then feed them every second week."
)
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"]), max_size=12).map(
    " ".join
)


def clones(
    texts: list[str | None],
    prompt_of: list[int] | None = None,
    prompts: list[str | None] | None = None,
    **settings: float,
) -> CloneReport:
    of = prompt_of or [0] * len(texts)
    n = max(of, default=0) + 1
    return find_clones(
        response_texts=texts,
        prompt_of=np.array(of, np.int64),
        prompt_texts=prompts or [None] * n,
        rng=RNG(0),
        **settings,
    )


def members(report: CloneReport, scope: str, kind: str) -> list[list[int]]:
    return [c.members.tolist() for c in report.clusters if (c.scope, c.kind) == (scope, kind)]


def test_kinds_nest() -> None:
    texts = [PARAGRAPH, OTHER, PARAGRAPH, PARAGRAPH.upper() + " Good luck!", None, "Yes.", "No."]
    report = clones(texts)
    assert members(report, "response", "exact") == [[0, 2]]
    assert members(report, "response", "near") == [[0, 2, 3]]
    assert report.labels.labels.tolist() == [0, 1, 0, 0, 2, 3, 4]
    assert report.labels.n_groups == 5
    near = next(c for c in report.clusters if c.kind == "near")
    assert near.diameter == pytest.approx(text_distance(PARAGRAPH, texts[3] or ""))
    assert (near.n_texts, near.n_prompts) == (2, 1)
    assert near.medoid in (0, 3)
    assert set(near.furthest) == {0, 3}


def test_very_short_texts_are_clones_only_if_equal() -> None:
    report = clones(["Yes.", "yes!", "Yes.", "You're welcome.", "You're welcome!"])
    assert members(report, "response", "exact") == [[0, 2]]
    assert members(report, "response", "near") == []


def test_a_chain_is_not_one_cluster() -> None:
    words = [f"w{i}" for i in range(60)]
    texts = [" ".join(words[s : s + 40]) for s in (0, 8, 16)]
    d = [text_distance(texts[i], texts[j]) for i, j in ((0, 1), (1, 2), (0, 2))]
    assert d[0] <= DEFAULT_RADIUS
    assert d[1] <= DEFAULT_RADIUS
    assert d[2] > DEFAULT_RADIUS
    found = members(clones(texts), "response", "near")
    assert len(found) == 1
    assert len(found[0]) == 2


def test_prompts_are_the_scope_of_responses() -> None:
    texts = [PARAGRAPH, PARAGRAPH, PARAGRAPH + " Good luck!", OTHER, OTHER]
    prompts = [
        "How do I keep the basil on my window alive in winter?",
        "How do I KEEP the basil on my window alive in winter",
        "What is a good present for somebody who likes to cook?",
    ]
    report = clones(texts, [0, 1, 2, 0, 2], prompts)
    assert members(report, "prompt", "near") == [[0, 1]]
    assert members(report, "response", "exact") == [[0, 1]]
    assert members(report, "response", "near") == []
    assert report.prompt_labels.labels.tolist() == [0, 0, 1]


def test_boilerplate_is_its_own_kind_and_counts_prompt_clones_once() -> None:
    refusal = "I am sorry, but I cannot help with that request of yours today."
    texts = [refusal, refusal, refusal + " Goodbye.", "", "", "", "Yes.", "Yes.", "Yes."]
    of = [0, 1, 2, 0, 1, 2, 0, 1, 2]
    report = clones(texts, of)
    assert members(report, "boilerplate", "near") == [[0, 1, 2]]
    assert members(report, "boilerplate", "exact") == [[6, 7, 8]]
    assert members(report, "response", "exact") == []
    same = "Please write a long and friendly letter to the mayor of my town"
    assert not [
        c for c in clones(texts, of, [same, same + "!", None]).clusters if c.scope == "boilerplate"
    ]
    assert clones(texts, of, boilerplate_prompts=4).clusters == ()


def test_empty_texts_are_clones_within_a_prompt_only() -> None:
    report = clones(["", "", "", "x"], [0, 0, 1, 1])
    assert [c.members.tolist() for c in report.clusters] == [[0, 1]]


def test_without_texts_everyone_is_alone() -> None:
    report = clones([None, None, None])
    assert report.clusters == ()
    assert report.labels.labels.tolist() == [0, 1, 2]
    assert clones([]).labels.n_groups == 0


def as_texts(report: CloneReport, texts: list[str], of: list[int]) -> set[object]:
    """Clusters by what their members are, not by where they stand."""

    def shown(c: Cluster) -> object:
        held = tuple(sorted((of[i], texts[i]) for i in c.members))
        ends = tuple(sorted(texts[i] for i in c.furthest))
        return (c.scope, c.kind, held, texts[c.medoid], c.diameter, c.weakest_link, ends)

    return {shown(c) for c in report.clusters}


@settings(max_examples=60)
@given(st.lists(st.tuples(WORDS, st.integers(0, 2)), max_size=16), st.randoms())
def test_row_order_does_not_matter(rows: list[tuple[str, int]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    seen = []
    for these in (rows, shuffled):
        texts, of = [t for t, _ in these], [p for _, p in these]
        report = clones(texts, [*of], [None] * 3)
        seen.append(as_texts(report, texts, of))
        assert report.neighbours.recall_estimate == 1.0
    assert seen[0] == seen[1]


@settings(max_examples=60)
@given(st.lists(WORDS, max_size=16), st.sampled_from([0.1, 0.3, 0.4]))
def test_every_two_members_are_within_the_radius(texts: list[str], radius: float) -> None:
    report = clones(texts, radius=radius)
    for c in report.clusters:
        limit = {"exact": 0.0, "near": radius, "loose": report.loose_radius}[c.kind]
        d = {(i, j): text_distance(texts[i], texts[j]) for i in c.members for j in c.members}
        assert c.diameter <= limit + 1e-9
        if max(d.values()) > limit + 1e-9:  # two of them are near a third that has more near ones
            for (i, j), far in d.items():
                near = [text_distance(t, texts[i]) <= radius + 1e-9 for t in texts]
                also = [text_distance(t, texts[j]) <= radius + 1e-9 for t in texts]
                assert far <= limit + 1e-9 or any(np.array(near) & np.array(also))
            continue
        assert max(d.values()) == pytest.approx(c.diameter)
        assert d[c.furthest] == pytest.approx(c.diameter)
        assert c.weakest_link <= c.diameter + 1e-12
        sums = {i: sum(d[i, j] for j in set(c.members.tolist())) for i in c.members}
        if c.n_texts == c.size:
            assert sums[c.medoid] == pytest.approx(min(sums.values()))
        if c.kind != "loose":
            assert len(set(report.labels.labels[c.members])) == 1


def test_threads_do_not_matter() -> None:
    rng = RNG(3)
    texts: list[str | None] = [
        " ".join(f"w{i}" for i in rng.integers(0, 40, 30)) for _ in range(60)
    ]
    texts += [f"{t} end" for t in texts]
    with threadpool_limits(1):
        a = clones(texts)
    b = clones(texts)
    assert repr(a.clusters) == repr(b.clusters)
    assert [c.members.tobytes() for c in a.clusters] == [c.members.tobytes() for c in b.clusters]


def test_a_hundred_thousandfold_refusal_in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_pairs_module, "HEAVY", 100)
    texts: list[str | None] = [
        f"I am sorry, but I cannot help you with word{i}. If there is anything else that you would "
        "like to talk about, I will be glad to help you with that instead."
        for i in range(300)
    ]
    report = clones(texts, [i // 2 for i in range(300)])
    boilerplate = [c for c in report.clusters if c.scope == "boilerplate"]
    assert [c.size for c in boilerplate] == [300]
    assert boilerplate[0].diameter <= DEFAULT_RADIUS
    assert len(members(report, "response", "near")) == 150


def test_calibrates_the_encoder_against_the_text() -> None:
    rng = RNG(0)
    texts: list[str | None] = []
    vectors = []
    for k in range(40):
        words = [f"t{k}w{i}" for i in range(20)]
        for other in (False, False, True):
            texts.append(" ".join(words[5 * other :]) + f" end{len(texts)}" + " x y z" * other)
            vectors.append([1.0, 0.0, 0.0] if not other else [0.6, 0.8, 0.0])
    v = (np.array(vectors) + 0.01 * rng.standard_normal((120, 3))).astype(np.float32)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    report = find_clones(
        response_texts=texts,
        prompt_of=np.repeat(np.arange(40), 3),
        prompt_texts=[None] * 40,
        response_vectors=v,
        radius=0.2,
        rng=RNG(0),
    )
    assert not isinstance(report.encoder, NotApplicable)
    assert report.encoder.n_near == 40
    assert report.encoder.near[0] > 0.99
    assert report.encoder.other[1] == pytest.approx(0.6, abs=0.05)
    assert (report.encoder.found, report.encoder.wrong) == (1.0, 0.0)
    assert 0.9 < report.encoder.threshold <= 1.0
    assert isinstance(clones(["a"]).encoder, NotApplicable)


def test_wrong_settings() -> None:
    with pytest.raises(ValueError, match="radius"):
        clones(["a"], radius=1.0)
    with pytest.raises(ValueError, match="radius"):
        clones(["a"], radius=0.3, loose_radius=0.2)
    assert clones(["a"], radius=0.7).loose_radius == 0.7
    with pytest.raises(ValueError, match="texts but"):
        clones(["a"], [0, 0])


def rows(path: Path) -> list[dict[str, object]]:
    with gzip.open(path, "rt", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


@pytest.mark.shared
def test_wildbench_is_not_called_clones(shared_data: Path) -> None:
    data = rows(shared_data / "wildbench_scores" / "responses.shared.jsonl.gz")
    texts: list[str | None] = [str(r["model_output"]).strip() for r in data]
    sessions = sorted({str(r["session_id"]) for r in data})
    of = [sessions.index(str(r["session_id"])) for r in data]
    report = clones(texts, of)
    near = {i for g in members(report, "response", "near") for i in g}
    exact = {i for g in members(report, "response", "exact") for i in g}
    assert len(near | exact) <= 0.08 * len(texts)
    first: dict[tuple[int, str | None], int] = {}
    for i, key in enumerate(zip(of, texts, strict=True)):
        if key in first:
            assert report.labels.labels[i] == report.labels.labels[first[key]]
            assert {i, first[key]} <= exact
        first.setdefault(key, i)
    assert report.neighbours.recall_estimate == 1.0


@pytest.mark.shared
def test_hh_has_no_near_clones_inside_a_prompt(shared_data: Path) -> None:
    texts: list[str | None] = []
    prompts: list[str] = []
    for r in rows(shared_data / "hh_rlhf_harmless" / "harmless_base_test.shared.jsonl.gz"):
        for side in ("chosen", "rejected"):
            prompt, _, answer = str(r[side]).rpartition("\n\nAssistant:")
            prompts.append(prompt.strip())
            texts.append(answer.strip())
    keys: list[str | None] = list(dict.fromkeys(prompts))
    index = {k: i for i, k in enumerate(keys)}
    report = clones(texts, [index[p] for p in prompts], keys)
    assert members(report, "response", "near") == []
