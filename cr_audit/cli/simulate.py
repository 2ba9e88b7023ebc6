"""``cr-audit simulate``: the papers' examples and figures, and invented data with a known truth."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cr_audit.cli.build import FIRST_OUTPUTS, Hint, option_hint, outputs_hints, typed_function
from cr_audit.cli.outputs import Outputs, outputs_of
from cr_audit.commands import Option
from cr_audit.errors import UsageError
from cr_audit.families import with_role
from cr_audit.simulate.catalogue import SIMULATIONS, Simulation, by_name, register

if TYPE_CHECKING:
    from cr_audit.reports import Report

HELP = """Reproduce the papers' examples and figures, or write an invented data set.

\b
Examples:
  cr-audit simulate --list
  cr-audit simulate table-3
  cr-audit simulate clone-robust --model all-MiniLM-L6-v2 --plot case.svg
  cr-audit simulate clone-robust --write demo.jsonl && cr-audit scan demo.jsonl"""


def command() -> Callable[..., None]:
    """A function that typer reads as the command, with the options of every simulation."""
    for _, part in with_role("simulate"):
        for simulation in part.SIMULATIONS:
            register(simulation)
    hints = _HEAD | {name: option_hint(o) for name, o in _options().items()} | _tail()

    first = frozenset((*FIRST_OUTPUTS, *_HEAD))
    return typed_function(_run, hints, name="simulate", text=HELP, first=first)


_HEAD: dict[str, Hint] = {
    "name": (
        Annotated[str | None, typer.Argument(help="Which simulation; --list shows them.")],
        None,
    ),
    "list_": (
        Annotated[bool, typer.Option("--list", help="List the simulations and stop.")],
        False,
    ),
    "seed": (Annotated[int | None, typer.Option("--seed", min=0, help="Random seed.")], None),
    "write": (
        Annotated[
            Path | None,
            typer.Option(
                "--write", metavar="FILE", help="Write the simulation's data set and stop."
            ),
        ],
        None,
    ),
}


def _tail() -> dict[str, Hint]:
    out = outputs_hints(judged=False, plots="the facts")
    del out["full_text"], out["details"]  # no texts from data, and nothing is folded
    return out


def _options() -> dict[str, Option]:
    """One option per name, with the help of each simulation that has it; None = not given.

    The ranges of simulations may differ, so that of the option is the widest.
    """
    out: dict[str, Option] = {}
    says: dict[str, dict[str, list[str]]] = {}
    for simulation in SIMULATIONS.values():
        for option in simulation.options:
            default = "" if option.default is None else f" [default: {option.default}]"
            texts = says.setdefault(option.name, {})
            texts.setdefault(f"{option.help}{default}", []).append(simulation.name)
            known = out.get(option.name)
            if known is None:
                out[option.name] = replace(option, default=None)
            elif known.kind == option.kind and known.typed == option.typed:
                out[option.name] = replace(
                    known,
                    low=min(known.low, option.low),
                    high=max(known.high, option.high),
                    choices=tuple(dict.fromkeys((*known.choices, *option.choices))),
                )
            else:
                raise ValueError(f"simulations disagree on the option {option.name!r}")
    return {
        name: replace(
            option, help=" ".join(f"{', '.join(of)}: {text}" for text, of in says[name].items())
        )
        for name, option in out.items()
    }


def _run(**given: Any) -> None:
    given = {
        name: value.value if isinstance(value, Enum) else value for name, value in given.items()
    }
    if given["list_"]:
        _print_list()
        return
    simulation = _known(given["name"])
    outputs = outputs_of(
        given["format_"], given["output"], given["report"] or [], given["plot"] or []
    )
    own = _own(simulation, given)
    if given["write"] is not None:
        _write_data(simulation, given["write"], own, given["seed"])
        return
    defaults = {o.name: o.default for o in simulation.options}
    settings = {"name": simulation.name, "seed": given["seed"] or 0}
    settings |= simulation.resolve(defaults | own)
    outputs.write(_report(simulation, settings, outputs))


def _known(name: str | None) -> Simulation:
    names = by_name()
    if name in names:
        return names[str(name)]
    near = difflib.get_close_matches(name or "", names, n=1)
    raise UsageError(
        "unknown-simulation",
        f"there is no simulation {name!r}" if name else "simulate needs the name of a simulation",
        next_step=(f"did you mean {near[0]}? " if near else "")
        + f"the simulations are {', '.join(names)}",
    )


def _own(simulation: Simulation, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given. Raises UsageError for another simulation's, and out of range."""
    own = {o.name: o for o in simulation.options}
    out: dict[str, Any] = {}
    for name, option in _options().items():
        value, flag = given[name], option.typed[0]
        if value is None:
            continue
        if name not in own:
            having = [s.name for s in SIMULATIONS.values() if name in {o.name for o in s.options}]
            raise UsageError(
                "other-option",
                f"{flag} is no option of {simulation.name}",
                next_step=f"leave it out; it goes with {', '.join(having)}",
            )
        _check(own[name], value, flag)
        out[name] = value
    return out


def _check(option: Option, value: Any, flag: str) -> None:
    """Raise UsageError for a value outside the simulation's own range or choices."""
    if option.kind in ("whole", "number") and not option.low <= value <= option.high:
        raise UsageError(
            "bad-value",
            f"{flag} must lie in {option.low}..{option.high}",
            found=str(value),
            next_step="give another value, or leave it out",
        )
    if option.kind == "choice" and value not in option.choices:
        raise UsageError(
            "bad-value",
            f"{flag} must be one of {', '.join(option.choices)}",
            found=str(value),
            next_step="give another value, or leave it out",
        )


def _write_data(
    simulation: Simulation, path: Path, options: Mapping[str, Any], seed: int | None
) -> None:
    if simulation.data is None:
        having = [s.name for s in SIMULATIONS.values() if s.data is not None]
        raise UsageError(
            "nothing-to-write",
            f"--write goes with {', '.join(having)}",
            found=simulation.name,
            next_step=f"cr-audit simulate {having[0]} --write demo.jsonl",
        )
    from cr_audit.files import write_whole
    from cr_audit.write.escape import visible

    given = dict(options) | ({} if seed is None else {"seed": seed})
    write_whole(simulation.data(given), path, option="--write")
    shown = visible(str(path))
    typer.echo(f"wrote {shown}; look at it with: cr-audit scan {shown}")


def _report(simulation: Simulation, settings: dict[str, Any], outputs: Outputs) -> Report:
    import numpy as np

    from cr_audit import __version__
    from cr_audit.arrays import NotApplicable
    from cr_audit.blocks import Picture
    from cr_audit.cli.progress import progress_bar
    from cr_audit.findings import outcome_of
    from cr_audit.reports import Report
    from cr_audit.simulate.catalogue import plain_values
    from cr_audit.wire import SCHEMA

    with progress_bar(enabled=True) as progress:
        try:
            facts = simulation.compute(settings, np.random.default_rng(settings["seed"]), progress)
        except BaseException:
            outputs.remove()
            raise

    def document(full_text: bool) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "command": "simulate",
            "version": __version__,
            "settings": settings,
            "simulation": plain_values(facts),
        }

    def pictures() -> list[Picture] | NotApplicable:
        if simulation.pictures is None:
            return NotApplicable(f"{simulation.name} draws nothing")
        return list(simulation.pictures(facts))

    return Report(
        command="simulate",
        blocks=lambda: list(simulation.show(facts)),
        document=document,
        outcome=outcome_of((), (), "never", "-"),
        pictures=pictures,
    )


def _print_list() -> None:
    """What there is, a line each."""
    from cr_audit.blocks import Cell, Column, Prose, Table
    from cr_audit.files import write_stdout
    from cr_audit.write.terminal import target_of_stdout, write_blocks

    table = Table.of(
        (Column("name", "id"), Column("from"), Column("shows")),
        [(Cell(s.name), Cell(s.source), Cell(s.shows)) for s in SIMULATIONS.values()],
        name="simulations",
    )
    more = Prose(("Run one with: cr-audit simulate NAME",), "dim")
    write_stdout(write_blocks([table, more], target_of_stdout()), people=True)
