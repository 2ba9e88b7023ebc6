"""The composer: what it chooses, what it leaves out with a reason, and that stages are apart."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from cases import DISTINCT, SAMPLES, analysed, jsonl, labelled, round_robin

from cr_audit.analysis import Settings, analyse
from cr_audit.analysis.compare import compare_schemes
from cr_audit.analysis.units import cluster_id
from cr_audit.arrays import NotApplicable
from cr_audit.embed import PrecomputedVectors
from cr_audit.errors import ComputeError
from cr_audit.readers import read

NEAR = "the quick brown fox jumps over the lazy dog near the old stone bridge"
COPIES = (NEAR, NEAR.replace("lazy", "sleepy"))


def one_each(n: int) -> list[dict[str, Any]]:
    """Every prompt has two responses, compared once."""
    return [labelled(f"{DISTINCT[k]} {k}?", f"a {k}", f"b {k}", ("A", "B")) for k in range(n)]


# --- what did not apply has a reason -----------------------------------------------------------


def test_data_without_texts_still_has_ranks_and_a_graph() -> None:
    rows = [
        {"question_id": f"q{k}", "model_a": "A", "model_b": "B", "winner": "model_a"}
        for k in range(5)
    ]
    a = analysed(rows, unit="model")
    for part in (a.embedding, a.clones, a.weights):
        assert isinstance(part, NotApplicable)
        assert "no texts" in part.reason
    assert a.units[0].comparisons.n == 5
    assert a.units[0].graph.n_components == 1


def test_without_an_encoder_clones_are_found_by_the_text() -> None:
    a = analysed([labelled("Why?", *COPIES)], model="none")
    assert isinstance(a.embedding, NotApplicable)
    assert isinstance(a.weights, NotApplicable)
    assert not isinstance(a.clones, NotApplicable)
    assert [c.kind for c in a.clones.clusters if c.scope == "response"] == ["near"]


def test_uniform_and_cluster_weights_need_no_encoder() -> None:
    rows = [labelled("Why?", *COPIES), labelled("Why?", COPIES[0], DISTINCT[0])]
    uniform = analysed(rows, model="none", weights="uniform").weights
    cluster = analysed(rows, model="none", weights="cluster").weights
    assert not isinstance(uniform, NotApplicable)
    assert not isinstance(cluster, NotApplicable)
    np.testing.assert_allclose(uniform.weights, 1 / 3)
    np.testing.assert_allclose(np.sort(cluster.weights), [1 / 4, 1 / 4, 1 / 2])


def test_impossible_units_say_why() -> None:
    rows = [{"prompt": "Why?", "chosen": DISTINCT[0], "rejected": DISTINCT[1]}]
    with pytest.raises(ComputeError, match="names the models"):
        analysed(rows, unit="model")
    ids = [{"question_id": "q", "model_a": "A", "model_b": "B", "winner": "model_a"}]
    with pytest.raises(ComputeError, match="texts to cluster"):
        analysed(ids, unit="cluster")
    with pytest.raises(ComputeError, match="without vectors"):
        compare_schemes(analysed(rows, model="none"))
    with pytest.raises(ComputeError, match="names them in every row"):
        analysed(round_robin(DISTINCT[:4]), resample="annotators")


# --- what it chooses ---------------------------------------------------------------------------


def test_the_scope_of_the_weights() -> None:
    assert analysed(round_robin(DISTINCT[:5])).scope.value == "dataset"
    assert analysed(one_each(6)).scope.value == "dataset"
    assert analysed(one_each(6), scope="prompt").scope.value == "prompt"
    assert analysed(SAMPLES / "clone_robust.jsonl").scope.value == "prompt"


def test_models_come_first_where_they_meet() -> None:
    a = analysed(SAMPLES / "clone_robust.jsonl")
    assert [u.unit for u in a.units] == ["model", "response"]
    same = [labelled("Why?", *DISTINCT[:2], ("A", "A"))] * 4
    same += [labelled("Why?", *DISTINCT[:2], ("A", "B"))]
    assert analysed(same).units[0].unit == "response"


@pytest.mark.parametrize(
    ("n_raters", "chosen"), [(20, "annotators"), (19, "comparisons"), (0, "comparisons")]
)
def test_what_the_bootstrap_draws(n_raters: int, chosen: str) -> None:
    rows = round_robin(DISTINCT[:6])
    for k, row in enumerate(rows):
        if n_raters:
            row["annotator"] = f"r{k % n_raters}"
    assert analysed(rows).units[0].resampled.value == chosen


def test_prompts_are_drawn_for_models() -> None:
    assert analysed(one_each(12)).units[0].resampled.value == "comparisons"
    many = [
        labelled(f"{w} {v}?", f"a {v} {w}", f"b {w} {v}", ("A", "B"), "ab"[k % 2])
        for k, (w, v) in enumerate(zip(DISTINCT * 2, DISTINCT[::-1] * 2, strict=True))
    ]
    for k, row in enumerate(many):
        row["prompt"] += f" {k}"
    assert analysed(many, unit="model").units[0].resampled.value == "prompts"


# --- one item, one vote ------------------------------------------------------------------------


def test_cluster_units_add_their_members_up() -> None:
    rows = [labelled("Why?", c, t) for c in COPIES for t in DISTINCT[:3]]
    a = analysed(rows, unit="cluster")
    unit = a.units[0]
    assert unit.items.n == 4
    assert not isinstance(a.weights, NotApplicable)
    assert not isinstance(unit.items.weights, NotApplicable)
    assert unit.items.weights.sum() == pytest.approx(1.0)
    own = unit.items.labels[0]
    assert unit.items.weights[own] == pytest.approx(
        a.weights.weights[unit.items.labels == own].sum()
    )
    assert "(+1 clones)" in unit.items.names[own]
    assert unit.items.draws is not None
    drawn = unit.items.draws(50, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0)
    np.testing.assert_allclose(drawn.mean(axis=0), unit.items.weights, atol=0.02)


def test_comparisons_within_a_unit_are_counted_and_left_out() -> None:
    rows = [labelled("Why?", *COPIES), *[labelled("Why?", COPIES[0], t) for t in DISTINCT[:2]]]
    unit = analysed(rows, unit="cluster").units[0]
    assert unit.n_within == 1
    assert unit.comparisons.n == 2


def test_the_id_of_a_cluster_is_its_members() -> None:
    assert cluster_id(["b", "a"]) == cluster_id(["a", "b"]) != cluster_id(["a"])


# --- streams -----------------------------------------------------------------------------------


def test_stages_do_not_disturb_each_other() -> None:
    """The weights are the same whichever unit is ranked and however often it is resampled."""
    path = SAMPLES / "clone_robust.jsonl"
    weights = [
        analysed(path, weights="voronoi", **options).weights
        for options in ({}, {"unit": "response"}, {"n_replicates": 33, "unit": "cluster"})
    ]
    first = weights[0]
    assert not isinstance(first, NotApplicable)
    for other in weights[1:]:
        assert not isinstance(other, NotApplicable)
        assert other.weights.tobytes() == first.weights.tobytes()
    other = analysed(path, weights="voronoi", seed=1).weights
    assert not isinstance(other, NotApplicable)
    assert other.weights.tobytes() != first.weights.tobytes()
    np.testing.assert_allclose(other.weights, first.weights, atol=0.01)


def test_progress_names_the_stages_in_order() -> None:
    seen: list[str] = []
    data = read(["-"], stdin=io.BytesIO(jsonl(round_robin(DISTINCT[:4]))))
    analyse(
        data,
        Settings(model="none", n_replicates=10),
        backend=None,
        progress=lambda stage, done, total: seen.append(stage),
    )
    stages = list(dict.fromkeys(seen))
    assert stages[0] == "embedding"
    assert stages[-1] == "done"
    words = " ".join(stages)
    assert words.index("clones") < words.index("weigh") < words.index("win rates")


def test_vectors_of_ones_own() -> None:
    """Opposite vectors on a circle: four equal quarters of the sphere, whatever the texts say."""
    data = read(["-"], stdin=io.BytesIO(jsonl(round_robin(DISTINCT[:4]))))
    ids = data.alternatives["id"].to_list()
    points = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)

    class Given(PrecomputedVectors):
        def __init__(self) -> None:  # only what the analysis asks for
            pass

        name = "mine"
        dimension = 2
        fingerprint = "f"

        def vectors(self, wanted: list[str]) -> Any:  # type: ignore[override]
            return points[[ids.index(i) for i in wanted]]

    a = analyse(data, Settings(n_replicates=10), backend=Given())
    assert not isinstance(a.embedding, NotApplicable)
    assert a.embedding.model == "mine"
    assert not isinstance(a.weights, NotApplicable)
    np.testing.assert_allclose(a.weights.weights, 0.25, atol=4 * a.weights.standard_error.max())


def test_choice_sets_are_counted_as_what_they_are() -> None:
    def ranked(*ranks: int | None) -> dict[str, Any]:
        answers = [
            {"text": t} | ({} if r is None else {"rank": r})
            for t, r in zip(DISTINCT, ranks, strict=False)
        ]
        return {"question": "Why?", "answers": answers}

    a = analysed([ranked(0, 1, 2), ranked(2, 1, 0), ranked(0, 0, 1), ranked(0, 1)])
    facts = a.choice_sets
    assert not isinstance(facts, NotApplicable)
    assert facts.n == 4
    assert facts.sizes == ((2, 1), (3, 3))
    assert facts.n_full_rankings == 4
    assert facts.n_with_ties == 1
    assert a.units[0].comparisons.n == 0
    expanded = analysed(
        [ranked(0, 1, 2), ranked(2, 1, 0), ranked(0, 0, 1), ranked(0, 1)],
        reading={"expand_choices": True},
    )
    assert expanded.units[0].comparisons.n == 3 + 3 + 2 + 1
