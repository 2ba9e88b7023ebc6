"""Voting rules against pref_voting (the extra "peers")."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.models.voting.lottery import lottery
from cr_audit.models.voting.rules import RULES

pytest.importorskip("pref_voting", reason="pref_voting is not installed")

from pref_voting.c1_methods import copeland
from pref_voting.margin_based_methods import beat_path, ranked_pairs, split_cycle
from pref_voting.weighted_majority_graphs import MarginGraph


def graph(margins: np.ndarray) -> MarginGraph:
    m = margins.shape[0]
    edges = [(i, j, int(margins[i, j])) for i in range(m) for j in range(m) if margins[i, j] > 0]
    return MarginGraph(list(range(m)), edges)


@pytest.mark.parametrize("seed", range(60))
def test_winners(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = int(rng.integers(3, 9))
    size = 2 * rng.permutation(m * m).reshape(m, m) + 2
    upper = np.triu(size * rng.choice([-1, 1], size=(m, m)), 1)
    margins = (upper - upper.T).astype(float)
    mg = graph(margins)

    def mine(rule: str) -> list[int]:
        return np.flatnonzero(RULES[rule](margins[None]).winners[0]).tolist()

    assert mine("schulze") == sorted(beat_path(mg))
    assert mine("split-cycle") == sorted(split_cycle(mg))
    assert mine("ranked-pairs") == sorted(ranked_pairs(mg))
    assert mine("copeland") == sorted(copeland(mg))


@pytest.mark.parametrize("seed", range(20))
def test_split_cycle_and_schulze_with_equal_margins(seed: int) -> None:
    rng = np.random.default_rng(seed)
    upper = np.triu(2 * rng.integers(-3, 4, size=(7, 7)), 1)
    margins = (upper - upper.T).astype(float)
    mg = graph(margins)
    for rule, theirs in (
        ("schulze", beat_path),
        ("split-cycle", split_cycle),
    ):
        ours = np.flatnonzero(RULES[rule](margins[None]).winners[0]).tolist()
        assert ours == sorted(theirs(mg)), rule


@pytest.mark.parametrize("seed", range(20))
def test_maximal_lottery(seed: int) -> None:
    from pref_voting.probabilistic_methods import maximal_lottery

    rng = np.random.default_rng(seed)
    size = 2 * rng.permutation(36).reshape(6, 6) + 2
    upper = np.triu(size * rng.choice([-1, 1], size=(6, 6)), 1)
    margins = (upper - upper.T).astype(float)
    theirs = maximal_lottery(graph(margins))
    ours = lottery(margins[None])[0]
    assert ours == pytest.approx([float(theirs.get(i, 0.0)) for i in range(6)], abs=1e-6)
