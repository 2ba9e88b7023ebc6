"""Every setting, once: name, kind, range, default, help, and where it may stand.

Options of the command line, keys of the settings file, the policy of the gate, the check of a
value, the ``settings`` of the JSON report and docs/settings.md all come from ``SETTINGS``.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cr_audit.errors import UsageError
from cr_audit.weights.schemes import RECOMMENDED

Kind = Literal[
    "choice", "number", "whole", "switch", "text", "map", "penalty", "count", "files", "size"
]
Affects = Literal["reading", "analysis"]

CONTAINERS = ("jsonl", "json", "csv", "tsv", "parquet")
UNITS = ("auto", "response", "model", "cluster", "kind")
SPACES = ("sphere", "unit-cube", "factor-2", "data-box")
DEVICES = ("auto", "cpu", "cuda")
SCOPES = ("auto", "prompt", "dataset")
INDEXES = ("auto", "exact", "cells", "hnsw")
RESAMPLES = ("auto", "comparisons", "prompts", "annotators")


def _schemes() -> tuple[str, ...]:
    from cr_audit.weights.schemes import SCHEMES

    return SCHEMES.names


def _reward_models() -> tuple[str, ...]:
    from cr_audit.models.rewards.kinds import REWARD_MODELS

    return ("auto", *REWARD_MODELS.names)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    choices : of a "choice", or what gives them (registries grow). low, high : of a number, both
    ends allowed. flag : of the command line, with both forms for a switch. group : its panel in
    ``--help``. affects : "reading" settings say how data is read, "analysis" ones what is computed.
    in_policy : whether the table of a gate may set it as well. fits : only where rewards are
    fitted. metavar : what stands for its value in ``--help``. first : whether ``--help`` shows it,
    and not only ``--help-all``.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    group: str
    affects: Affects
    choices: tuple[str, ...] | Callable[[], tuple[str, ...]] = ()
    low: float = -math.inf
    high: float = math.inf
    flag: str = ""
    in_policy: bool = False
    fits: bool = False
    metavar: str | None = None
    shown_default: str = ""
    first: bool = False

    @property
    def option(self) -> str:
        """Its flag: --n-replicates is --replicates, say."""
        return self.flag or f"--{self.key}"

    @property
    def key(self) -> str:
        """Its key in a settings file."""
        return self.name.replace("_", "-")

    @property
    def values(self) -> tuple[str, ...]:
        """What a "choice" may be."""
        return self.choices() if callable(self.choices) else self.choices

    @property
    def text(self) -> str:
        """Its help, with the values that it may have at this moment."""
        *others, last = self.values or ("",)
        return self.help.replace("{choices}", f"{', '.join(others)} or {last}")

    @property
    def default_in_words(self) -> str:
        """The default as a person reads it."""
        return self.shown_default or str(self.default)


DATA, CLONES, WEIGHTS, RANKS = "Data", "Clones", "Weights", "Win rates"
REWARDS, OUT = "Rewards", "Output"

SETTINGS: dict[str, Setting] = {
    s.name: s
    for s in (
        Setting("files", "files", None, "The data set where no FILE is named.", DATA, "reading"),
        Setting(
            "schema",
            "text",
            None,
            "Read as this schema instead of recognising it.",
            DATA,
            "reading",
            metavar="NAME",
        ),
        Setting(
            "map",
            "map",
            None,
            "Which field plays which role, e.g. prompt=question,chosen=better,rejected=worse.",
            DATA,
            "reading",
            first=True,
            metavar="ROLE=FIELD,...",
        ),
        Setting(
            "row_weights",
            "text",
            None,
            "Field of the rows' weights; without it every row counts alike, whatever its fields are"
            " called.",
            DATA,
            "reading",
            metavar="FIELD",
            shown_default="every row weighs 1",
        ),
        Setting(
            "container",
            "choice",
            None,
            "What the files are, whatever their suffix says: {choices}.",
            DATA,
            "reading",
            choices=CONTAINERS,
            shown_default="by suffix and content",
        ),
        Setting(
            "max_skipped",
            "number",
            0.01,
            "Stop if more than this share of the rows cannot be used.",
            DATA,
            "reading",
            low=0.0,
            high=1.0,
        ),
        Setting(
            "max_bytes",
            "whole",
            None,
            "Stop if a file holds more bytes than this once it is unpacked.",
            DATA,
            "reading",
            low=1,
            shown_default="4 GB, and 250 times the compressed size",
        ),
        Setting(
            "max_text",
            "whole",
            10_000_000,
            "Stop at a text of more characters than this; a row may have 8 times as many bytes.",
            DATA,
            "reading",
            low=1,
            shown_default="10 million",
        ),
        Setting(
            "limit",
            "whole",
            None,
            "Use only the first rows, so many of all files together; for a look, no verdict.",
            DATA,
            "reading",
            low=1,
            shown_default="all rows",
        ),
        Setting(
            "sample",
            "whole",
            None,
            "Use a random sample of so many rows of all files together, by --seed.",
            DATA,
            "reading",
            low=1,
            shown_default="all rows",
        ),
        Setting(
            "expand_choices",
            "switch",
            False,
            "Also read lists as the pairs they imply (assumes independence of irrelevant"
            " alternatives).",
            DATA,
            "reading",
            flag="--expand-choices/--keep-choices",
            shown_default="keep",
        ),
        Setting(
            "ratings_to_pairs",
            "switch",
            False,
            "Also read ratings of one prompt by one judge as pairs.",
            DATA,
            "reading",
            flag="--ratings-to-pairs/--keep-ratings",
            shown_default="keep",
        ),
        Setting(
            "memory",
            "size",
            None,
            "What the search for copies may hold in memory (2GiB, 500MB); above it goes through"
            " files. Changes no result.",
            DATA,
            "reading",
            low=64 * 2**20,
            metavar="SIZE",
            shown_default="half of what is free",
        ),
        Setting(
            "unit",
            "choice",
            "auto",
            "Rank responses, models, clusters or kinds; auto decides by what was compared.",
            RANKS,
            "analysis",
            choices=UNITS,
            in_policy=True,
            first=True,
        ),
        Setting(
            "model",
            "text",
            "static",
            "Encoder of the texts: static, all-MiniLM-L6-v2, a sentence-transformers folder or hub"
            " name, lexical, or none.",
            CLONES,
            "analysis",
            in_policy=True,
            first=True,
            metavar="NAME",
        ),
        Setting(
            "device",
            "choice",
            "auto",
            "Where a transformer encodes texts: {choices}; auto takes a GPU that torch sees.",
            CLONES,
            "analysis",
            choices=DEVICES,
        ),
        Setting(
            "weights",
            "choice",
            RECOMMENDED,
            "Weights of alternatives by {choices}.",
            WEIGHTS,
            "analysis",
            choices=_schemes,
            first=True,
        ),
        Setting(
            "space",
            "choice",
            "sphere",
            "Where Voronoi cells are measured: {choices}.",
            WEIGHTS,
            "analysis",
            choices=SPACES,
        ),
        Setting(
            "scope",
            "choice",
            "auto",
            "Weigh within each prompt, over the whole data set, or auto.",
            WEIGHTS,
            "analysis",
            choices=SCOPES,
        ),
        Setting(
            "radius",
            "number",
            None,
            "Text distance up to which two responses are near-clones (see docs/clones.md).",
            CLONES,
            "analysis",
            low=0.0,
            high=0.999,
            in_policy=True,
            shown_default="that of the clone test",
        ),
        Setting(
            "paraphrase_fpr",
            "number",
            0.0,
            "Look for paraphrases, with at most this share of false ones among independent answers"
            " (0.01, say); 0 looks for none.",
            CLONES,
            "analysis",
            low=0.0,
            high=0.5,
        ),
        Setting(
            "kinds",
            "count",
            "auto",
            "How many kinds of answer, and of prompt, at most; auto: all that come back in halves"
            " of the data.",
            CLONES,
            "analysis",
            low=1,
            high=1000,
            metavar="NUMBER|auto",
        ),
        Setting(
            "index",
            "choice",
            "auto",
            "How responses find their nearest by vectors: {choices}. A named index joins all of"
            " them; auto draws some where there are very many, and searches exactly.",
            CLONES,
            "analysis",
            choices=INDEXES,
        ),
        Setting(
            "precision",
            "number",
            0.1,
            "Relative standard error of one weight to sample for.",
            WEIGHTS,
            "analysis",
            low=1e-4,
            high=1.0,
        ),
        Setting(
            "n_replicates",
            "whole",
            1000,
            "Bootstrap replicates.",
            RANKS,
            "analysis",
            low=10,
            high=100_000,
            flag="--replicates",
        ),
        Setting(
            "resample",
            "choice",
            "auto",
            "What the bootstrap draws: comparisons, prompts, annotators or auto.",
            RANKS,
            "analysis",
            choices=RESAMPLES,
        ),
        Setting(
            "confidence_level",
            "number",
            0.9,
            "Level of intervals and of flagged changes.",
            RANKS,
            "analysis",
            low=0.5,
            high=0.999,
        ),
        Setting(
            "count_weighted",
            "switch",
            False,
            "Let repeated comparisons of a pair count as mass.",
            RANKS,
            "analysis",
            flag="--count-weighted/--proportions",
            shown_default="proportions",
        ),
        Setting(
            "penalty",
            "penalty",
            None,
            "Penalty on the rewards, the same for both fits; auto: cross-validation.",
            REWARDS,
            "analysis",
            fits=True,
            metavar="NUMBER|auto",
            shown_default="0.03 tabular and mlp, 1 linear",
            first=True,
        ),
        Setting(
            "reward",
            "choice",
            "auto",
            "tabular (one number per item), linear (in the vectors), mlp, or auto, which goes by"
            " how often items were compared.",
            REWARDS,
            "analysis",
            choices=_reward_models,
            fits=True,
        ),
        Setting("seed", "whole", 0, "Random seed.", OUT, "analysis", low=0),
    )
}


def _default(name: str) -> Any:
    return SETTINGS[name].default


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can change a number in the report, as the numerics take it: the "analysis"
    settings of the table, with its defaults. docs/methods.md says what decided each of them.

    unit : "auto", "response", "model", "cluster" or "kind"; model : the encoder ("none" skips
    vectors); device : where a transformer runs, "auto", "cpu" or "cuda"; kinds : of answer, at most
    so many, or "auto"; index : of the graph of meaning, "auto", "exact", "cells" or "hnsw";
    weights : a weighting scheme; space : of Voronoi cells; scope : "auto", "prompt" or "dataset";
    radius : of near-clones, None = the clone test's default; paraphrase_fpr : share of independent
    answers that may be called paraphrases, 0 = not looked for; precision : relative standard error
    of one weight to sample for; n_replicates, resample : bootstrap; confidence_level : of intervals
    and of flagged changes, in (0, 1). penalty : of rewards, a positive number, "auto"
    (cross-validation) or None, the reward model's default; reward : a reward model or "auto".
    """

    unit: str = _default("unit")
    model: str = _default("model")
    device: str = _default("device")
    weights: str = _default("weights")
    space: str = _default("space")
    scope: str = _default("scope")
    radius: float | None = _default("radius")
    paraphrase_fpr: float = _default("paraphrase_fpr")
    kinds: int | str = _default("kinds")
    index: str = _default("index")
    precision: float = _default("precision")
    n_replicates: int = _default("n_replicates")
    resample: str = _default("resample")
    confidence_level: float = _default("confidence_level")
    count_weighted: bool = _default("count_weighted")
    penalty: float | str | None = _default("penalty")
    reward: str = _default("reward")
    seed: int = _default("seed")


READING: tuple[str, ...] = tuple(s.name for s in SETTINGS.values() if s.affects == "reading")
ANALYSIS: tuple[str, ...] = tuple(f.name for f in dataclasses.fields(Settings))


def check_value(name: str, value: Any, source: str) -> None:
    """Raise UsageError ``bad-value`` where ``value`` is not one that ``name`` may have.

    None (the default of a few settings) is always allowed: a settings file cannot say it.
    """
    if value is None:
        return
    problem = problem_with(SETTINGS[name], value)
    if problem is None:
        return
    wanted, next_step = problem
    raise UsageError(
        "bad-value",
        f"{SETTINGS[name].option.partition('/')[0]} must be {wanted}",
        found=f"{value!r} ({source})"[:300],
        next_step=next_step,
    )


def problem_with(setting: Setting, value: Any) -> tuple[str, str | None] | None:
    """What the value must be and what to do, or None where it is right."""
    number = isinstance(value, float | int) and not isinstance(value, bool)
    match setting.kind:
        case "choice":
            if value in setting.values:
                return None
            near = difflib.get_close_matches(str(value), setting.values, n=1)
            hint = f"did you mean {near[0]}?" if near else None
            return f"one of {', '.join(setting.values)}", hint
        case "number" | "whole":
            whole = setting.kind == "whole"
            inside = number and setting.low <= value <= setting.high
            if inside and (not whole or isinstance(value, int)):
                return None
            kind = "a whole number" if whole else "a number"
            bounds = f" from {setting.low:g} to {setting.high:g}"
            if math.isinf(setting.high):
                bounds = f" from {setting.low:g} on"
            return kind + bounds, "leave it out for the default"
        case "penalty":
            if value == "auto" or (number and 0 < value < math.inf):
                return None
            return (
                "a number above 0, or auto",
                "leave it out for the default, or let cross-validation choose with auto",
            )
        case "count":
            whole = number and isinstance(value, int) and setting.low <= value <= setting.high
            if value == "auto" or whole:
                return None
            return (
                f"a whole number from {setting.low:g} to {setting.high:g}, or auto",
                "leave it out for auto",
            )
        case "size":
            if isinstance(value, str) and (n := bytes_of(value)) is not None and n >= setting.low:
                return None
            return (
                f"a number with a unit (MB, GB, MiB, GiB), at least {setting.low / 2**20:g} MiB",
                "for example 2GiB; leave it out for the default",
            )
        case "switch":
            return None if isinstance(value, bool) else ("true or false", None)
        case "text":
            return None if isinstance(value, str) else ("a text", None)
        case "map":
            if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
                return None
            return (
                "a table of roles and fields",
                'for example map = { prompt = "q", chosen = "better" }',
            )
        case "files":
            return None


_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMG]i?B)\s*", re.IGNORECASE)


def bytes_of(size: str | None) -> int | None:
    """2GiB in bytes; None for None, and for what says no size."""
    found = None if size is None else _SIZE.fullmatch(size)
    return None if found is None else int(float(found[1]) * _UNITS[found[2].lower()])


def parse_map(text: str | None) -> dict[str, str] | None:
    """``prompt=question,chosen=better`` as a dictionary; a settings file may give a table."""
    if text is None:
        return None
    out: dict[str, str] = {}
    for part in text.split(","):
        role, sep, name = part.partition("=")
        if not sep or not role.strip() or not name.strip():
            raise UsageError(
                "bad-map",
                "--map wants ROLE=FIELD pairs separated by commas",
                found=part,
                next_step="for example --map prompt=question,chosen=better,rejected=worse",
            )
        out[role.strip()] = name.strip()
    return out


def parse_penalty(text: str | None) -> float | str | None:
    """``--penalty`` as a number where it is one; its range is checked with the other settings."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def parse_count(text: str | None) -> int | str | None:
    """``--kinds`` as a whole number where it is one; its range is checked with the others."""
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        return text


@dataclass(frozen=True, slots=True)
class Given:
    """The settings of one run. sources: name -> "flag", "default" or the settings file's name."""

    analysis: Settings
    reading: Mapping[str, Any]
    sources: Mapping[str, str]


def resolve(
    flags: Mapping[str, Any], from_file: Mapping[str, Any] | None = None, file_name: str = ""
) -> Given:
    """Each setting from ``flags`` (None = not given), else from the settings file, else its
    default. Raises UsageError for a value that it may not have."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, setting in SETTINGS.items():
        if flags.get(name) is not None:
            values[name], sources[name] = flags[name], "flag"
        elif from_file is not None and name in from_file:
            values[name], sources[name] = from_file[name], file_name
        else:
            values[name], sources[name] = setting.default, "default"
        check_value(name, values[name], sources[name])
    return Given(
        analysis=Settings(**{k: values[k] for k in ANALYSIS}),
        reading={k: values[k] for k in READING},
        sources=sources,
    )
