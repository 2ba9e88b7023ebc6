"""The library: what the commands do, from Python, with the same settings, errors and JSON.

Nothing here prints. Settings are those of the command line (docs/settings.md) as keywords, with
underscores: ``audit("prefs.jsonl", unit="model", seed=1)``.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cr_audit.errors import InputError, UsageError
from cr_audit.run import Run
from cr_audit.settings import SETTINGS, resolve

if TYPE_CHECKING:
    import polars as pl

    from cr_audit.commands import Command
    from cr_audit.export.outcome import Exported
    from cr_audit.findings import Finding
    from cr_audit.reports import Report

Source = Any
"""A path or several, a list of dictionaries, a polars or pandas frame, or a datasets.Dataset."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One result of an audit as a table, made when it is asked for."""

    name: str
    _make: Callable[[], pl.DataFrame] = field(repr=False)

    def to_frame(self) -> pl.DataFrame:
        """A polars frame; ``file`` and ``line`` say where in the data a row comes from. Rows that
        were given in memory have the file "-" and their number, from 1, as the line."""
        return self._make()


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a command found. report : as writers take it."""

    report: Report = field(repr=False)

    @property
    def passed(self) -> bool:
        """Whether the command line would exit 0."""
        return self.report.exit_code == 0

    @property
    def findings(self) -> View:
        """One row per finding."""
        return View("findings", lambda: _findings([t.finding for t in self.report.outcome.told]))

    def to_dict(self, *, full_text: bool = False) -> dict[str, Any]:
        """The document of the JSON contract, of plain values."""
        import orjson

        made: dict[str, Any] = orjson.loads(self.to_json(full_text=full_text))
        return made

    def to_json(self, *, full_text: bool = False) -> str:
        """What ``--format json`` prints."""
        return self.write("json", full_text=full_text)

    def write(self, format: str, *, full_text: bool = False) -> str:
        """The report in any format that ``--format`` knows, as text."""
        from cr_audit.write import WRITERS, Target

        if format not in WRITERS:
            raise UsageError(
                "unknown-format",
                f"there is no format {format!r}",
                next_step=f"choose one of {', '.join(WRITERS)}",
            )
        return WRITERS[format].write(self.report, Target(full_text=full_text))


@dataclass(frozen=True, slots=True, eq=False)
class Audit(Result):
    """A scan of one data set."""

    run: Run = field(repr=False)

    @property
    def weights(self) -> View:
        """One row per response: id, model, text, weight (sum 1), standard_error, file, line."""
        return View("weights", lambda: _weights(self.run))

    @property
    def clones(self) -> View:
        """One row per member of a cluster: cluster, scope, kind, medoid, id, text, file, line."""
        return View("clones", lambda: _clones(self.run))

    @property
    def kinds(self) -> View:
        """One row per response of a kind: kind, words, medoid, id, text, file, line."""
        return View("kinds", lambda: _kinds(self.run, "kinds"))

    @property
    def prompt_kinds(self) -> View:
        """One row per prompt of a kind of prompt: kind, words, medoid, id, text, file, line (of the
        first row that asks it)."""
        return View("prompt_kinds", lambda: _kinds(self.run, "prompts"))

    @property
    def win_rates(self) -> View:
        """One row per item of the main unit: id, name, win rate unweighted and weighted, file and
        line of its first row."""
        return View("win_rates", lambda: _win_rates(self.run))


def audit(source: Source, *, embeddings: Any = None, cache: bool = True, **settings: Any) -> Audit:
    """What ``cr-audit scan`` finds in ``source``.

    embeddings : a file as for ``--embeddings``, or an array (n_alternatives, d) in the order of the
    alternatives. cache : whether vectors and results are kept between runs. Raises as the command
    line exits: UsageError (2), InputError (3), ComputeError (4).
    """
    command = _command("scan")
    run = _run(command, source, embeddings, cache, settings)
    return Audit(command.make(run), run)


def refit(source: Source, *, embeddings: Any = None, cache: bool = True, **settings: Any) -> Result:
    """What ``cr-audit refit`` finds; ``weighted=True`` and ``standard=True`` as its options."""
    command = _command("refit")
    return Result(command.make(_run(command, source, embeddings, cache, settings)))


def leaderboard(
    source: Source, *, embeddings: Any = None, cache: bool = True, **settings: Any
) -> Result:
    """What ``cr-audit leaderboard`` finds: places that hold. ``control``, ``owner``, ``by`` as its
    options; several files (battles and responses) as a list of paths."""
    command = _command("leaderboard")
    return Result(command.make(_run(command, source, embeddings, cache, settings)))


def choices(
    source: Source, *, embeddings: Any = None, cache: bool = True, **settings: Any
) -> Result:
    """What ``cr-audit choices`` finds: whether lists may be trained on, and what to do instead."""
    command = _command("choices")
    return Result(command.make(_run(command, source, embeddings, cache, settings)))


def sensitivity(
    source: Source, *, embeddings: Any = None, cache: bool = True, **settings: Any
) -> Result:
    """What ``cr-audit sensitivity`` finds: which rewards stand on few or on strong preferences."""
    command = _command("sensitivity")
    return Result(command.make(_run(command, source, embeddings, cache, settings)))


def gate(
    baseline: Source,
    batch: Source,
    *,
    policy: Mapping[str, Any] | None = None,
    cache: bool = True,
    **settings: Any,
) -> Result:
    """Whether ``batch`` may be merged into ``baseline``: ``passed``, and why.

    policy : the [gate] table of a settings file. One of the two may be rows in memory.
    """
    command = _command("gate")
    files, rows = _files(baseline)
    if rows is not None and _files(batch)[1] is not None:
        raise UsageError(
            "two-in-memory",
            "baseline and batch are both rows in memory",
            next_step="save one of them to a file and give its path",
        )
    run = _run(command, batch, None, cache, settings | {"baseline": list(files)})
    if rows is not None:
        run.stdin = io.BytesIO(rows)
    run.policy = dict(policy or {})
    return Result(command.make(run))


def export(
    source: Source,
    path: str | os.PathLike[str],
    *,
    to: str = "rows",
    embeddings: Any = None,
    cache: bool = True,
    **settings: Any,
) -> Exported:
    """Write ``path`` as ``cr-audit export --as TO`` does; what came out. Options of the command
    (``contradictions``, ``drop_identical``, ``dropped`` ...) are keywords too."""
    from cr_audit.export.command import done_by

    command = _command("export")
    run = _run(command, source, embeddings, cache, settings | {"exit": to})
    files = {n: run.options[n] for n in ("dropped", "trainer_file")}
    run.options = {
        **run.options,
        "output": Path(path),
        **{n: None if given is None else Path(given) for n, given in files.items()},
    }
    return done_by(run)


def dry_run(source: Source, trainer: str, *, cache: bool = True, **settings: Any) -> Result:
    """What ``cr-audit export --dry-run TRAINER`` finds: what the trainer's loader reads, drops or
    reverses in these rows."""
    command = _command("export")
    run = _run(command, source, None, cache, settings | {"dry_run": trainer})
    return Result(command.make(run))


# --- from arguments to a run ---


def _command(name: str) -> Command:
    from cr_audit.cli.app import commands

    return next(c for c in commands() if c.name == name)


def _run(
    command: Command, source: Source, embeddings: Any, cache: bool, given: Mapping[str, Any]
) -> Run:
    options = {o.name: o for o in command.options}
    unknown = [k for k in given if k not in options and k not in SETTINGS]
    if unknown:
        raise UsageError(
            "unknown-setting",
            f"{command.name} has no setting {unknown[0]!r}",
            next_step=f"settings: {', '.join(sorted([*options, *SETTINGS]))}",
        )
    for name, option in options.items():
        value = given.get(name)
        if option.kind == "choice" and value is not None and value not in option.choices:
            raise UsageError(
                "bad-value",
                f"{name} must be one of {', '.join(option.choices)}",
                found=repr(value)[:300],
            )
    files, rows = _files(source)
    run = Run(
        command=command.name,
        files=files,
        given=resolve({k: v for k, v in given.items() if k in SETTINGS}),
        options={name: given.get(name, o.default) for name, o in options.items()},
        use_cache=cache,
        stdin=None if rows is None else io.BytesIO(rows),
    )
    if isinstance(embeddings, str | os.PathLike):
        run.embeddings = Path(embeddings)
    elif embeddings is not None:
        vectors = _vectors(embeddings)
        run.once("encoder", lambda: vectors)
    return run


def _files(source: Source) -> tuple[tuple[str, ...], bytes | None]:
    """File names, and the rows as JSON lines where they are in memory (the file is then "-")."""
    if isinstance(source, str | os.PathLike):
        return _expanded([os.fspath(source)]), None
    if hasattr(source, "to_dicts"):  # polars
        return ("-",), _json_lines(source.to_dicts())
    if hasattr(source, "iterrows"):  # pandas, where a missing value is NaN
        return ("-",), _json_lines(
            source.astype(object).where(source.notna(), None).to_dict("records")
        )
    if not isinstance(source, Iterable):
        raise _no_source(source)
    rows = list(source)
    if rows and all(isinstance(r, str | os.PathLike) for r in rows):
        return _expanded([os.fspath(r) for r in rows]), None
    if not all(isinstance(r, Mapping) for r in rows):
        raise _no_source(source)
    return ("-",), _json_lines(rows)


def _expanded(typed: list[str]) -> tuple[str, ...]:
    from cr_audit.readers.places import expand

    return tuple(expand(typed).files)


def _no_source(source: Source) -> InputError:
    return InputError(
        "no-source",
        "this is no preference data",
        found=type(source).__name__,
        next_step="give a path, a list of dictionaries, a polars or pandas frame, or a Dataset",
    )


def _json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """One line per row. Lone surrogates become escapes; dates and the like become text."""
    import json

    import orjson

    def line(row: Mapping[str, Any]) -> bytes:
        try:
            return orjson.dumps(dict(row), default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)
        except TypeError:  # a lone surrogate, or a number beyond 64 bits
            return json.dumps(dict(row), default=_plain).encode("ascii")

    return b"".join(line(row) + b"\n" for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def _vectors(given: Any) -> Any:
    """Unit rows of an array, in the order of the alternatives."""
    from cr_audit.embed import PrecomputedVectors

    array = np.asarray(given)
    if array.ndim != 2 or array.shape[1] < 1 or array.dtype.kind not in "fiu":
        raise InputError(
            "embeddings-not-a-matrix",
            "embeddings must be a matrix of n rows and d >= 1 columns of real numbers",
            found=f"{array.dtype} of shape {array.shape}",
        )
    rows = array.astype(np.float64)
    if not np.isfinite(rows).all():
        raise InputError("embeddings-not-finite", "embeddings hold NaN or infinite numbers")
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, norm, out=np.zeros_like(rows), where=norm > 0).astype(np.float32)
    digest = hashlib.blake2b(unit.tobytes(), digest_size=16).hexdigest()
    return PrecomputedVectors(Path("array"), None, unit, digest)


# --- tables ---


def _first_rows(run: Run) -> pl.DataFrame:
    """alternative -> file and line of its first row."""
    import polars as pl

    files = pl.Series([f.path for f in run.dataset.report.files], dtype=pl.String)
    first = run.dataset.mentions.group_by("alternative", maintain_order=True).first()
    return first.select(
        "alternative", file=files.gather(first["file"].cast(pl.UInt32)), line="line"
    )


def _responses(run: Run) -> pl.DataFrame:
    import polars as pl

    frame = run.dataset.alternatives.with_row_index("alternative").with_columns(
        pl.col("alternative").cast(pl.UInt32)
    )
    return frame.join(_first_rows(run), on="alternative", how="left", maintain_order="left")


def _weights(run: Run) -> pl.DataFrame:
    import polars as pl

    from cr_audit.arrays import NotApplicable

    w = run.analysis.weights
    if isinstance(w, NotApplicable):
        raise _not_there("weights", w)
    return _responses(run).select(
        "id",
        "model",
        "text",
        weight=pl.Series(w.weights),
        standard_error=pl.Series(w.standard_error),
        file="file",
        line="line",
    )


def _not_there(
    what: str, why: Any, next_step: str = "choose an encoder with model=, or give embeddings="
) -> Exception:
    from cr_audit.errors import ComputeError

    return ComputeError("not-applicable", f"there are no {what}: {why.reason}", next_step=next_step)


def _clones(run: Run) -> pl.DataFrame:
    import polars as pl

    from cr_audit.analysis.units import cluster_id
    from cr_audit.arrays import NotApplicable

    clones = run.analysis.clones
    if isinstance(clones, NotApplicable):
        raise _not_there("clones", clones)
    responses = _responses(run).select("id", "text", "file", "line")
    tables = {
        "prompt": _prompts(run).select("id", "text", "file", "line"),
        "response": responses,
    }
    parts = []
    for c in clones.clusters:
        some = tables["prompt" if c.scope == "prompt" else "response"][c.members.tolist()]
        parts.append(
            some.select(
                pl.lit(cluster_id(some["id"].to_list())).alias("cluster"),
                pl.lit(c.scope).alias("scope"),
                pl.lit(c.kind).alias("kind"),
                pl.Series("medoid", c.members == c.medoid),
                pl.all(),
            )
        )
    if parts:
        whole: pl.DataFrame = pl.concat(parts)
        return whole
    kinds = {"cluster": pl.String, "scope": pl.String, "kind": pl.String, "medoid": pl.Boolean}
    return pl.DataFrame(schema=kinds | dict(tables["response"].schema))


def _prompts(run: Run) -> pl.DataFrame:
    """One row per prompt, with the place of the first row that asks it."""
    import polars as pl

    firsts = (
        _responses(run)
        .with_columns(prompt=run.dataset.alternatives["prompt"])
        .group_by("prompt", maintain_order=True)
        .first()
    )
    prompts = run.dataset.prompts.with_row_index("prompt").cast({"prompt": pl.UInt32})
    return prompts.join(
        firsts.select("prompt", "file", "line"), on="prompt", how="left", maintain_order="left"
    )


def _kinds(run: Run, family: str) -> pl.DataFrame:
    """Members of the kinds that a family found, of responses or of prompts, kind by kind."""
    import polars as pl

    from cr_audit.arrays import NotApplicable

    kinds = run.facts(family).kinds
    of, texts = ("kinds of prompt", "prompts") if family == "prompts" else ("kinds", "texts")
    if isinstance(kinds, NotApplicable):
        more = f"give more rows: {of} are looked for in 50 different {texts} or more"
        if isinstance(run.analysis.embedding, NotApplicable):
            raise _not_there(of, kinds)
        raise _not_there(of, kinds, more)
    members = (_prompts if family == "prompts" else _responses)(run)
    names = pl.DataFrame(
        {
            "of": np.arange(kinds.n),
            "kind": list(kinds.ids),
            "words": [list(w) for w in kinds.words],
            "row_of_medoid": [k.medoid for k in kinds.found.kinds],
        },
        schema_overrides={
            "words": pl.List(pl.String),
            "kind": pl.String,
            "of": pl.Int64,
            "row_of_medoid": pl.Int64,
        },
    )
    return (
        members.select("id", "text", "file", "line")
        .with_row_index("row")
        .with_columns(of=pl.Series(kinds.found.labels).cast(pl.Int64))
        .join(names, on="of", how="inner", maintain_order="left")
        .sort("of", maintain_order=True)
        .select(
            "kind",
            "words",
            (pl.col("row") == pl.col("row_of_medoid")).alias("medoid"),
            "id",
            "text",
            "file",
            "line",
        )
    )


def _win_rates(run: Run) -> pl.DataFrame:
    import polars as pl

    from cr_audit.arrays import NotApplicable

    if not run.analysis.units:
        raise _not_there("win rates", NotApplicable("nothing was compared"))
    unit = run.analysis.units[0]
    n, weighs = unit.items.n, not isinstance(unit.items.weights, NotApplicable)
    weighted = unit.win_rates.weighted if weighs else [None] * n
    names = pl.DataFrame(
        {
            "item": np.arange(n),
            "id": list(unit.items.ids),
            "name": list(unit.items.names),
            "win_rate": unit.win_rates.average,
            "weighted_win_rate": weighted,
        }
    )
    of = (
        _responses(run)
        .select("file", "line", item=pl.Series(unit.items.labels))
        .group_by("item", maintain_order=True)
        .first()
    )
    return names.join(of, on="item", how="left", maintain_order="left").drop("item")


def _findings(findings: Sequence[Finding]) -> pl.DataFrame:
    import polars as pl

    rows = []
    for f in findings:
        file, _, line = (f.rows[0] if f.rows else "").rpartition(":")
        rows.append(
            {
                "rule": f.rule,
                "severity": str(f.severity),
                "subject": f.subject,
                "message": f.message,
                "advice": f.advice,
                "file": file or None,
                "line": int(line) if line.isdigit() else None,
            }
        )
    texts = ("rule", "severity", "subject", "message", "advice", "file")
    return pl.DataFrame(rows, schema={**dict.fromkeys(texts, pl.String), "line": pl.Int64})
