"""The weighting schemes behind one protocol, and a scheme from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cases import SAMPLES, analysed

from cr_audit.analysis.compare import compare_schemes
from cr_audit.analysis.refit import refit
from cr_audit.arrays import FloatArray, NotApplicable
from cr_audit.errors import UsageError
from cr_audit.weights.estimates import Weights, known_weights
from cr_audit.weights.scheme import (
    SCHEMES,
    STANDARD,
    Growth,
    Options,
    Scheme,
    Variant,
    Weighed,
    variants,
)
from cr_audit.weights.schemes import RECOMMENDED
from cr_audit.weights.schemes.cluster import cluster_weights
from cr_audit.weights.schemes.sharing import sharing_weights
from cr_audit.weights.spaces import SPACES
from cr_audit.weights.voronoi import voronoi_weights

M = 30
RNG = np.random.default_rng(2)
X: FloatArray = RNG.standard_normal((M, 5))
SAME = np.where(np.arange(M) < 4, 0, np.arange(M))
CLONES = np.where(np.arange(M) < 10, 7, -1)
PROMPT = np.arange(M) % 3
ITEMS = Weighed(M, X, SAME, CLONES)
FEW = Options(min_samples=2000)


class First:
    """A toy: the first item of each prompt (or of all) has half of the weight."""

    name = "first"
    summary = "whoever came first has half of the weight"
    needs_vectors = False
    needs_clones = False
    uses_clones = False
    corrects = True
    spaces: tuple[str, ...] = ()
    gram_spaces: tuple[str, ...] = ()

    def weigh(self, items: Weighed, options: Options, rng: np.random.Generator) -> Weights:
        values = np.full(items.n, 0.5 / max(items.n - 1, 1))
        values[0] = 0.5
        return known_weights(self.name, values, np.arange(items.n), {"half": True})

    def found(
        self, items: Weighed, options: Options, rng: np.random.Generator
    ) -> Mapping[str, float]:
        return {}

    def in_words(self, space: str, settings: Mapping[str, Any]) -> str:
        return "first come, first served"

    def deed(self, settings: Mapping[str, Any]) -> str:
        return "the first item has half of the weight"


@pytest.fixture
def first() -> Iterator[Scheme]:
    scheme = First()
    SCHEMES.register("first", scheme)
    yield scheme
    SCHEMES.unregister("first")


def test_the_registry_holds_what_the_files_hold() -> None:
    assert SCHEMES.names == ("voronoi", "cluster", "sharing", "kinds", "uniform")
    assert [s.name for s in SCHEMES.all()] == list(SCHEMES.names)
    assert RECOMMENDED in SCHEMES.names
    assert [s.name for s in SCHEMES.all() if not s.corrects] == [STANDARD.method]
    with pytest.raises(UsageError, match="weighting scheme called 'fair'"):
        SCHEMES.get("fair")


def test_every_scheme_in_every_space() -> None:
    wanted = [STANDARD, *(Variant("voronoi", s) for s in SPACES), Variant("cluster")]
    assert list(variants()) == [*wanted, Variant("sharing"), Variant("kinds")]
    rest = [Variant("cluster"), Variant("sharing"), Variant("kinds")]
    by_gram = [STANDARD, Variant("voronoi", "sphere"), *rest]
    assert list(variants(by_gram=True)) == by_gram
    names = [v.name for v in by_gram]
    assert names == ["standard", "voronoi sphere", "cluster", "sharing", "kinds"]
    assert Variant("voronoi", "data-box").options(FEW).space == "data-box"
    assert Variant("cluster").options(FEW) is FEW


@pytest.mark.parametrize("scheme", SCHEMES.all(), ids=lambda s: s.name)
def test_a_scheme_weighs_with_what_it_says_it_needs(scheme: Scheme) -> None:
    items = Weighed(
        M,
        X if scheme.needs_vectors else None,
        clones=CLONES if scheme.needs_clones else None,
    )
    w = scheme.weigh(items, FEW, np.random.default_rng(0))
    assert w.method == scheme.name
    assert w.weights.sum() == pytest.approx(1.0)
    assert scheme.in_words("sphere", w.settings).startswith(scheme.name)
    assert scheme.deed(w.settings)
    if scheme.needs_clones:
        with pytest.raises(ValueError, match="clone"):
            scheme.weigh(replace(items, clones=None), FEW, np.random.default_rng(0))


def test_what_is_given_reaches_the_weights() -> None:
    def rng() -> np.random.Generator:
        return np.random.default_rng(4)

    voronoi, cluster, sharing = (SCHEMES.get(n) for n in ("voronoi", "cluster", "sharing"))
    for space in SPACES:
        wanted = voronoi_weights(X, space=space, min_samples=2000, duplicates=SAME, rng=rng())
        found = voronoi.weigh(ITEMS, replace(FEW, space=space), rng())
        np.testing.assert_array_equal(found.weights, wanted.weights)
    np.testing.assert_array_equal(
        cluster.weigh(ITEMS, FEW, rng()).weights, cluster_weights(CLONES).weights
    )
    np.testing.assert_array_equal(
        sharing.weigh(ITEMS, FEW, rng()).weights,
        sharing_weights(X, duplicates=SAME, clusters=CLONES, rng=rng()).weights,
    )
    fixed = replace(FEW, found={"width": 0.7, "strength": 0.5})
    np.testing.assert_array_equal(
        sharing.weigh(ITEMS, fixed, rng()).weights,
        sharing_weights(X, width=0.7, strength=0.5, duplicates=SAME, clusters=CLONES).weights,
    )


def test_what_a_scheme_finds_is_what_it_weighs_by() -> None:
    for scheme in SCHEMES.all():
        found = scheme.found(ITEMS, FEW, np.random.default_rng(3))
        a = scheme.weigh(ITEMS, FEW, np.random.default_rng(3))
        b = scheme.weigh(ITEMS, replace(FEW, found=found), np.random.default_rng(3))
        np.testing.assert_array_equal(a.weights, b.weights)
        assert bool(found) == (scheme.name in ("sharing", "kinds"))


@pytest.mark.parametrize("name", ["voronoi", "sharing"])
def test_within_prompts_every_prompt_has_its_share(name: str) -> None:
    items = replace(ITEMS, contexts=X.astype(np.float32), prompt_of=PROMPT)
    w = SCHEMES.get(name).weigh(items, FEW, np.random.default_rng(0))
    # By different items: equal ones are one for both, clones for the scheme that knows them.
    different = np.array({"voronoi": [9, 10, 10], "sharing": [7, 8, 8]}[name])
    np.testing.assert_allclose(w.masses(PROMPT, 3), different / different.sum())
    assert w.settings["scope"] == "prompt"


def test_items_that_were_there_before_are_asked_for_once() -> None:
    asked: list[str] = []

    def keep(name: str, inputs: Any, compute: Any) -> Any:
        asked.append(name)
        return compute()

    items = replace(ITEMS, growth=Growth(np.arange(20), keep))
    w = SCHEMES.get("voronoi").weigh(items, FEW, np.random.default_rng(0))
    assert asked == ["nearest"]
    assert w.weights.sum() == pytest.approx(1.0)
    box = SCHEMES.get("voronoi").weigh(items, replace(FEW, space="data-box"), RNG)
    assert (asked, box.space) == (["nearest"], "data-box")


def test_sharing_says_what_it_did() -> None:
    sharing = SCHEMES.get("sharing")
    alone = {"width": 0.0, "strength": 0.0}
    assert sharing.in_words("sphere", alone) == "sharing, clones alone"
    assert sharing.deed(alone) == "clones share one vote"
    full = {"width": 0.8, "strength": 1.0}
    assert sharing.in_words("sphere", full) == "sharing, width 0.8"
    some = {
        "width": 0.8,
        "strength": 0.25,
        "width_searched": 0.8,
        "expected_shift": 0.9,
        "effective_share": 0.7,
    }
    assert sharing.in_words("sphere", some) == "sharing, width 0.8 at 25%"
    said = sharing.deed(some)
    assert "count 25%" in said
    assert "takes away 10%" in said
    assert "costs 30%" in said
    none = {**some, "width": 0.0, "strength": 0.0}
    assert "neighbours do not, since the best width found (0.8)" in sharing.deed(none)


def test_a_scheme_from_outside_is_one_registration(first: Scheme) -> None:
    analysis = analysed(SAMPLES / "clone_robust.jsonl", weights="first", n_replicates=20)
    assert not isinstance(analysis.weights, NotApplicable)
    assert analysis.weights.method == "first"
    weights = analysis.units[0].items.weights
    assert not isinstance(weights, NotApplicable)
    assert weights[0] == pytest.approx(0.5)
    fitted = refit(analysis, workers=1)
    assert not isinstance(fitted, NotApplicable)
    assert not isinstance(fitted.weighted, NotApplicable)
    assert fitted.weighted.scheme == "first come, first served"
    assert fitted.weights_choice.value == "first"
    assert "half of the weight" in fitted.weights_choice.reason
    table, _ = compare_schemes(analysis)
    assert table.rows[-1].scheme == "first"
