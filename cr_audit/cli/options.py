"""Options that several commands share, declared once. None means: not given on the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

DATA, CLONES, WEIGHTS, RANKS, OUT = "Data", "Clones", "Weights", "Win rates", "Output"
REWARDS = "Rewards"


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class FailOn(StrEnum):
    NEVER = "never"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help="JSONL, JSON, CSV or Parquet, also .gz or .zst; several files; - is standard input.",
    ),
]
OptionalFiles = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE]...",
        help="As for scan. Without any: the files of the settings file, else those read last.",
    ),
]
Batch = Annotated[
    list[str] | None,
    typer.Argument(metavar="BATCH...", help="The new rows; files as for scan."),
]
Schema = Annotated[
    str | None,
    typer.Option(
        "--schema", help="Read as this schema instead of recognising it.", rich_help_panel=DATA
    ),
]
Map = Annotated[
    str | None,
    typer.Option(
        "--map",
        help="Which field plays which role, e.g. prompt=question,chosen=better,rejected=worse.",
        rich_help_panel=DATA,
    ),
]
MaxSkipped = Annotated[
    float | None,
    typer.Option(
        "--max-skipped",
        min=0.0,
        max=1.0,
        help="Stop if more than this share of the rows cannot be used. [default: 0.01]",
        rich_help_panel=DATA,
    ),
]
ExpandChoices = Annotated[
    bool | None,
    typer.Option(
        "--expand-choices/--keep-choices",
        help="Also read lists as the pairs they imply (assumes independence of irrelevant"
        " alternatives). [default: keep]",
        rich_help_panel=DATA,
    ),
]
RatingsToPairs = Annotated[
    bool | None,
    typer.Option(
        "--ratings-to-pairs/--keep-ratings",
        help="Also read ratings of one prompt by one judge as pairs. [default: keep]",
        rich_help_panel=DATA,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Encoder: static, all-MiniLM-L6-v2, a sentence-transformers folder or hub name,"
        " lexical, or none. [default: static]",
        rich_help_panel=CLONES,
    ),
]
Embeddings = Annotated[
    Path | None,
    typer.Option(
        "--embeddings",
        help="Precomputed vectors (.npy or .parquet, keyed by alternative id) instead of --model.",
        rich_help_panel=CLONES,
    ),
]
NoCache = Annotated[
    bool,
    typer.Option(
        "--no-cache", help="Neither read nor write cached vectors.", rich_help_panel=CLONES
    ),
]
Radius = Annotated[
    float | None,
    typer.Option(
        "--radius",
        min=0.0,
        max=0.999,
        help="Text distance up to which two responses are near-clones (see docs/clones.md).",
        rich_help_panel=CLONES,
    ),
]
WeightScheme = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="voronoi, cluster, sharing or uniform. [default: voronoi]",
        rich_help_panel=WEIGHTS,
    ),
]
Space = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="Where Voronoi cells are measured: sphere, unit-cube, factor-2 or data-box."
        " [default: sphere]",
        rich_help_panel=WEIGHTS,
    ),
]
ScopeOption = Annotated[
    str | None,
    typer.Option(
        "--scope",
        help="Weigh within each prompt, over the whole data set, or auto. [default: auto]",
        rich_help_panel=WEIGHTS,
    ),
]
Precision = Annotated[
    float | None,
    typer.Option(
        "--precision",
        min=1e-4,
        max=1.0,
        help="Relative standard error of one weight to sample for. [default: 0.1]",
        rich_help_panel=WEIGHTS,
    ),
]
Unit = Annotated[
    str | None,
    typer.Option(
        "--unit",
        help="Rank responses, models or clusters; auto decides by what was compared."
        " [default: auto]",
        rich_help_panel=RANKS,
    ),
]
Replicates = Annotated[
    int | None,
    typer.Option(
        "--replicates", min=10, help="Bootstrap replicates. [default: 1000]", rich_help_panel=RANKS
    ),
]
Resample = Annotated[
    str | None,
    typer.Option(
        "--resample",
        help="What the bootstrap draws: comparisons, prompts, annotators or auto. [default: auto]",
        rich_help_panel=RANKS,
    ),
]
ConfidenceLevel = Annotated[
    float | None,
    typer.Option(
        "--confidence-level",
        min=0.5,
        max=0.999,
        help="Level of intervals and of flagged changes. [default: 0.9]",
        rich_help_panel=RANKS,
    ),
]
CountWeighted = Annotated[
    bool | None,
    typer.Option(
        "--count-weighted/--proportions",
        help="Let repeated comparisons of a pair count as mass. [default: proportions]",
        rich_help_panel=RANKS,
    ),
]
Penalty = Annotated[
    str | None,
    typer.Option(
        "--penalty",
        metavar="NUMBER|auto",
        help="Penalty on the rewards, the same for both fits; auto: cross-validation."
        " [default: 0.03 tabular and mlp, 1 linear]",
        rich_help_panel=REWARDS,
    ),
]
Reward = Annotated[
    str | None,
    typer.Option(
        "--reward",
        help="tabular (one number per item), linear (in the vectors), mlp, or auto, which goes by"
        " how often items were compared. [default: auto]",
        rich_help_panel=REWARDS,
    ),
]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, help="Random seed. [default: 0]", rich_help_panel=OUT)
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Settings file. [default: cr-audit.toml, else \\[tool.cr-audit] in pyproject.toml]",
        rich_help_panel=OUT,
    ),
]
FormatOption = Annotated[
    Format,
    typer.Option("--format", help="What to print.", rich_help_panel=OUT),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="Write the report to a file instead of stdout.", rich_help_panel=OUT
    ),
]
FullText = Annotated[
    bool,
    typer.Option(
        "--full-text", help="Texts in full in the JSON, not 200 characters.", rich_help_panel=OUT
    ),
]
FailOnOption = Annotated[
    FailOn,
    typer.Option(
        "--fail-on", help="Exit 1 on a finding of this severity or above.", rich_help_panel=OUT
    ),
]
ExitZero = Annotated[
    bool, typer.Option("--exit-zero", help="Exit 0 whatever was found.", rich_help_panel=OUT)
]
Quiet = Annotated[
    bool,
    typer.Option(
        "-q", "--quiet", help="No progress and no summary on stderr.", rich_help_panel=OUT
    ),
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=OUT)
]


# Every command that reads data has these, in this order; the command adds its own before them.
SHARED: dict[str, tuple[Any, Any]] = {
    "schema": (Schema, None),
    "map_": (Map, None),
    "max_skipped": (MaxSkipped, None),
    "expand_choices": (ExpandChoices, None),
    "ratings_to_pairs": (RatingsToPairs, None),
    "model": (Model, None),
    "embeddings": (Embeddings, None),
    "no_cache": (NoCache, False),
    "radius": (Radius, None),
    "weights": (WeightScheme, None),
    "space": (Space, None),
    "scope": (ScopeOption, None),
    "precision": (Precision, None),
    "unit": (Unit, None),
    "n_replicates": (Replicates, None),
    "resample": (Resample, None),
    "confidence_level": (ConfidenceLevel, None),
    "count_weighted": (CountWeighted, None),
    "seed": (Seed, None),
    "config": (Config, None),
    "output": (Output, None),
    "quiet": (Quiet, False),
    "debug": (Debug, False),
}


# What a fit of rewards needs besides.
FITTING: dict[str, tuple[Any, Any]] = {"penalty": (Penalty, None), "reward": (Reward, None)}


def reads_data(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the files argument and the shared options.

    ``command(session, output, **own)`` is called with a :class:`~cr_audit.cli.session.Session`;
    typer sees files, the command's own options, then the shared ones.
    """
    return _reading(command, Files, inspect.Parameter.empty, SHARED)


def fits_rewards(command: Callable[..., None]) -> Callable[..., None]:
    """``reads_data`` for a command that fits rewards, on the last files read if none is named."""
    return _reading(command, OptionalFiles, None, FITTING | SHARED)


def judges_batch(command: Callable[..., None]) -> Callable[..., None]:
    """``reads_data`` for the gate, whose files are the batch; it may be left out for --init."""
    return _reading(command, Batch, None, SHARED)


def _reading(
    command: Callable[..., None], files: Any, no_files: Any, options: dict[str, tuple[Any, Any]]
) -> Callable[..., None]:
    name = command.__name__
    own = {
        p.name: p
        for p in inspect.signature(command, eval_str=True).parameters.values()
        if p.name not in ("session", "output")
    }

    def run(**given: Any) -> None:
        from cr_audit.cli.session import Session

        shared = {k: given.pop(k) for k in options}
        named = given.pop("files")
        output = shared.pop("output")
        shared.pop("debug")  # read by cr_audit.cli.app before anything runs
        session = Session.start(
            name,
            named or [],
            config=shared.pop("config"),
            embeddings=shared.pop("embeddings"),
            no_cache=shared.pop("no_cache"),
            quiet=shared.pop("quiet"),
            flags={k.rstrip("_"): v for k, v in shared.items()},
        )
        command(session, output, **given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("files", keyword, annotation=files, default=no_files)]
    parameters += [p.replace(kind=keyword) for p in own.values()]
    parameters += [
        inspect.Parameter(k, keyword, annotation=hint, default=default)
        for k, (hint, default) in options.items()
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__doc__, run.__name__ = command.__doc__, name
    return run
