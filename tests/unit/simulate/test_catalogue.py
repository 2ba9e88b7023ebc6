"""The registry of simulations: names belong to one, records become plain values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from cr_audit.simulate import catalogue
from cr_audit.simulate.catalogue import Simulation, by_name, plain_values, register


def nothing(name: str, *also: str) -> Simulation:
    return Simulation(
        name,
        "nowhere",
        "nothing",
        compute=lambda settings, rng, progress: None,
        show=lambda facts: [],
        also=also,
    )


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "SIMULATIONS", {})


def test_a_name_belongs_to_one_simulation() -> None:
    first = nothing("one", "uno")
    register(first)
    register(first)  # the command line may start twice in one process
    for taken in (nothing("one"), nothing("uno"), nothing("two", "one"), nothing("two", "uno")):
        with pytest.raises(ValueError, match="already"):
            register(taken)
    register(nothing("two"))
    assert {name: s.name for name, s in by_name().items()} == {
        "one": "one",
        "uno": "one",
        "two": "two",
    }


def test_records_and_arrays_become_plain_values() -> None:
    @dataclass(frozen=True)
    class Inner:
        values: np.ndarray

    @dataclass(frozen=True)
    class Outer:
        name: str
        inner: tuple[Inner, ...]
        by_name: dict[str, float]

        @property
        def derived(self) -> int:
            return 1

    made = plain_values(Outer("x", (Inner(np.array([[1.0, 2.0]])),), {"a": 0.5}))
    assert made == {"name": "x", "inner": [{"values": [[1.0, 2.0]]}], "by_name": {"a": 0.5}}
