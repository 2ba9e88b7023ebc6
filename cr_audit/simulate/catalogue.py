"""The registry of simulations: invented data with a known truth, and the papers' figures.

A family's ``simulate`` module names its own in ``SIMULATIONS``; one call of ``register`` adds any
other. ``cr-audit simulate`` has the options of all of them, lists them, runs one, and hands what it
found to every writer. Nothing numeric is imported before one runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from cr_audit.blocks import Block, Picture
    from cr_audit.commands import Option

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) from time to time; total 0 means unknown."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """One simulation.

    also : other names that it answers to. source : where in the papers it comes from. shows : what
    it shows, in a line. options : its own; two simulations may share a name with ranges and
    defaults of their own. resolve(options) : the settings that the JSON states, where an option's
    default depends on another; raises UsageError for what cannot be. compute(settings, rng,
    progress) -> facts, records of plain values and arrays. show(facts) -> blocks. pictures(facts)
    -> the charts of ``--plot``, None where it draws nothing. data(options) : the bytes of the data
    set that ``--write`` writes, of the options that were given, ``seed`` among them; None where
    there is none.
    """

    name: str
    source: str
    shows: str
    compute: Callable[[Mapping[str, Any], np.random.Generator, Progress], Any]
    show: Callable[[Any], Sequence[Block]]
    pictures: Callable[[Any], Sequence[Picture]] | None = None
    also: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    resolve: Callable[[Mapping[str, Any]], dict[str, Any]] = field(default=dict)
    data: Callable[[Mapping[str, Any]], bytes] | None = None


SIMULATIONS: dict[str, Simulation] = {}
"""By name; those of families join when the command line starts."""


def register(simulation: Simulation) -> None:
    """Add a simulation. Raises ValueError for a name that is another one's."""
    for name in (simulation.name, *simulation.also):
        if any(s is not simulation for s in SIMULATIONS.values() if name in (s.name, *s.also)):
            raise ValueError(f"there is a simulation {name!r} already")
    SIMULATIONS[simulation.name] = simulation


def by_name() -> dict[str, Simulation]:
    """Every simulation by each name that it answers to."""
    return {name: s for s in SIMULATIONS.values() for name in (s.name, *s.also)}


def plain_values(value: Any) -> Any:
    """Records and arrays as dictionaries and lists; derived properties are left out."""
    import dataclasses

    import numpy as np

    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain_values(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {k: plain_values(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(v) for v in value]
    return value
