"""How likely a cluster's growth is, and which cluster a turned leader hangs on: by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cr_audit.arrays import Comparisons
from cr_audit.clones.find import Cluster
from cr_audit.gate.growth import ClusterGain, Growth, _gain, _Masses
from cr_audit.gate.ranking_change import what_undoes


def cluster(scope: Any, *members: int) -> Any:
    return SimpleNamespace(
        scope=scope, members=np.array(members), size=len(members), n_texts=1, n_prompts=1,
        diameter=0.0,
    )  # fmt: skip


def gain(c: Cluster, new: list[int], group: list[int], typical: float) -> ClusterGain:
    n = len(new)
    nothing = np.full(n, np.nan)
    masses = _Masses(nothing, nothing, nothing)
    fresh = np.array(new, dtype=bool)
    return _gain(c, fresh, np.array(group), masses, np.ones(n, np.int64), typical)


def test_the_chance_of_so_many_copies_by_hand() -> None:
    """Three new responses to the prompt, two of them in the cluster, and a quarter of responses are
    copies: P(2 or 3 of 3) = 3 (1/4)² (3/4) + (1/4)³ = 10/64."""
    one = gain(cluster("response", 0, 1, 2), [0, 1, 1, 1, 1], [7, 7, 7, 7, 8], 0.25)
    assert (one.new.tolist(), one.n_scope_old, one.n_scope_new) == ([1, 2], 1, 3)
    assert one.chance == pytest.approx(10 / 64)
    assert one.batch_share == pytest.approx(2 / 3)


def test_the_chance_of_so_much_boilerplate_by_hand() -> None:
    """Three of six are members and three of six are new: P(2 or 3 new members) = 10/20."""
    one = gain(cluster("boilerplate", 0, 1, 2), [0, 1, 1, 1, 0, 0], [0, 1, 2, 3, 4, 5], 0.25)
    assert one.chance == pytest.approx(0.5)


@pytest.mark.parametrize(("a", "b", "cause"), [(7, 1, 0), (5, 3, -1)])
def test_a_cause_undoes_half_of_the_change(a: int, b: int, cause: int) -> None:
    """Item 0 won 4 votes against item 1, then lost a to a copy of 1 and b to another: its lead went
    from 1/2 to 4/12 - 1/2. Without the first copy it is 4/(4 + b) - 1/2, which takes back 70 % of
    the change with b = 1 and 36 % with b = 3."""
    first = np.array([0] * 4 + [2] * a + [3] * b)
    second = np.array([1] * 4 + [0] * (a + b))
    item = np.array([0, 1, 1, 1])
    rows = Comparisons.of(2, item[first], item[second])
    gains = tuple(SimpleNamespace(new=np.array([k]), n_rows_new=n) for k, n in ((2, a), (3, b)))
    grown: Any = SimpleNamespace(gains=gains)
    assert isinstance(grown, SimpleNamespace | Growth)
    undone, found = what_undoes(rows, (first, second), (0, 1), 0.5, grown, np.array([2, 3]), 4)
    assert undone
    assert found == cause
