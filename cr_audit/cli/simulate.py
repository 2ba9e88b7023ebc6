"""``cr-audit simulate``: the papers' examples and figures, and invented data with a known truth."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cr_audit.cli.plots import HELP, check_plots, write_plots
from cr_audit.errors import ComputeError, UsageError

if TYPE_CHECKING:
    from cr_audit.simulate.case_study import CaseStudy
    from cr_audit.simulate.catalogue import Facts


class SimulationFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


class Reward(StrEnum):
    LINEAR = "linear"
    MLP = "mlp"


CASE = "Case study"


def simulate(
    name: Annotated[str | None, typer.Argument(help="Which simulation; --list shows them.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the simulations and stop.")] = False,
    format_: Annotated[
        SimulationFormat, typer.Option("--format", help="What to print.")
    ] = SimulationFormat.TABLE,
    plot: Annotated[
        list[Path] | None,
        typer.Option("--plot", help=f"Also draw the facts into this file ({HELP})."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the report to a file.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Random seed.")] = None,
    clones: Annotated[
        int | None,
        typer.Option("--clones", min=0, help="clone-robust, table-3: how many clones."),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            help="clone-robust: write a JSONL data set in which near-copies flip the winner, and"
            " stop.",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="Encoder of the contexts: static, all-MiniLM-L6-v2, lexical, or a folder.",
            rich_help_panel=CASE,
        ),
    ] = "static",
    reward: Annotated[
        Reward,
        typer.Option(
            "--reward",
            help="Reward model; mlp trains 124 ensembles of 20 networks, some seven minutes of"
            " processor time.",
            rich_help_panel=CASE,
        ),
    ] = Reward.LINEAR,
    per_topic: Annotated[
        int,
        typer.Option("--per-topic", min=10, max=300, help="Texts per topic.", rich_help_panel=CASE),
    ] = 100,
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            min=2,
            help="Draws of each number of comparisons. [default: 10 linear, 4 mlp]",
            rich_help_panel=CASE,
        ),
    ] = None,
) -> None:
    """Reproduce the papers' examples and figures, or write an invented data set.

    Examples:

      cr-audit simulate --list

      cr-audit simulate table-3

      cr-audit simulate clone-robust --model all-MiniLM-L6-v2 --plot case.svg

      cr-audit simulate clone-robust --write demo.jsonl && cr-audit scan demo.jsonl
    """
    from cr_audit.report.screen import Screen
    from cr_audit.report.simulations import simulation_list

    if list_:
        typer.echo(simulation_list(Screen.of_stdout()), nl=False)
        return
    chosen = _known(name)
    check_plots(plot or [], output)
    if write is not None:
        if chosen != "clone-robust":
            raise UsageError(
                "nothing-to-write",
                "--write goes with clone-robust",
                found=chosen,
                next_step="cr-audit simulate clone-robust --write demo.jsonl",
            )
        _write_data(write, seed, clones)
        return
    settings: dict[str, Any] = {"name": chosen, "seed": seed or 0}
    if chosen == "table-3":
        settings["clones"] = 3 if clones is None else clones
    if chosen == "clone-robust":
        from cr_audit.simulate.case_study import default_draws

        settings |= {
            "model": model,
            "reward": reward.value,
            "per_topic": per_topic,
            "draws": draws if draws is not None else default_draws(reward.value),
        }
    _report(_facts(settings), settings, format_, plot or [], output)


def _known(name: str | None) -> str:
    from cr_audit.simulate.catalogue import BY_NAME

    if name in BY_NAME:
        return BY_NAME[str(name)].name
    near = difflib.get_close_matches(name or "", BY_NAME, n=1)
    raise UsageError(
        "unknown-simulation",
        f"there is no simulation {name!r}" if name else "simulate needs the name of a simulation",
        next_step=(f"did you mean {near[0]}? " if near else "")
        + f"the simulations are {', '.join(BY_NAME)}",
    )


def _write_data(path: Path, seed: int | None, clones: int | None) -> None:
    from cr_audit.simulate import clone_robust

    options = {k: v for k, v in (("seed", seed), ("clones", clones)) if v is not None}
    try:
        clone_robust.write(path, **options)
    except OSError as error:
        raise ComputeError(
            "cannot-write",
            f"the data set cannot be written: {error.strerror}",
            where=str(path),
            next_step="choose another --write FILE",
        ) from error
    typer.echo(f"wrote {path}; look at it with: cr-audit scan {path}")


def _facts(settings: dict[str, Any]) -> Facts:
    import numpy as np

    rng = np.random.default_rng(settings["seed"])
    if settings["name"] == "table-3":
        from cr_audit.simulate.table3 import MAX_COPIES, table_3

        if settings["clones"] >= MAX_COPIES:
            raise UsageError(
                "bad-value",
                f"--clones must lie in 0..{MAX_COPIES - 1}",
                found=str(settings["clones"]),
            )
        return table_3(max_copies=settings["clones"] + 1)
    if settings["name"] == "voronoi-figures":
        from cr_audit.simulate.voronoi_figures import voronoi_figures

        return voronoi_figures(rng=rng)
    if settings["name"] == "robustness-rate":
        from cr_audit.simulate.robustness import robustness_rate

        return robustness_rate()
    return _case_study(settings, rng)


def _case_study(settings: dict[str, Any], rng: Any) -> CaseStudy:
    import sys

    from cr_audit.embed import VectorCache, default_cache_dir, embed_texts, open_backend
    from cr_audit.report.escape import plain
    from cr_audit.simulate.case_study import case_study

    def say(text: str) -> None:
        print(plain(text), file=sys.stderr)

    backend = open_backend(settings["model"], cache_dir=default_cache_dir(), notice=say)
    cache = VectorCache(default_cache_dir(), notice=say)
    return case_study(
        lambda texts: embed_texts(backend, texts, cache=cache).astype("float64"),
        encoder=backend.name,
        per_topic=settings["per_topic"],
        n_draws=settings["draws"],
        reward=settings["reward"],
        rng=rng,
    )


def _report(
    facts: Facts,
    settings: dict[str, Any],
    format_: SimulationFormat,
    plots: Sequence[Path],
    output: Path | None,
) -> None:
    from cr_audit.cli.session import write
    from cr_audit.report.screen import Screen
    from cr_audit.report.simulation_plots import plot_simulation
    from cr_audit.report.simulations import render_simulation, render_simulation_json

    if plots:
        write_plots(plot_simulation(facts), plots)
    if format_ == SimulationFormat.JSON:
        write(render_simulation_json(facts, "simulate", settings), output)
        return
    screen = Screen.of_stdout() if output is None else Screen(100, False)
    write(render_simulation(facts, screen), output)
