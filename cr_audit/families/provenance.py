"""How a report was made, so that anybody can make it again: command, files, settings, encoder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cr_audit import __version__
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Cell, Column, Section, Steps, Table
from cr_audit.settings import SETTINGS

if TYPE_CHECKING:
    from cr_audit.data.dataset import PreferenceDataset
    from cr_audit.run import Run

# Options that write files of their own: to make a report again needs none of them.
_WRITES = frozenset(
    {"output", "dropped", "write_baseline", "init", "write", "next_file", "remedy", "remedy_file"}
)


def provenance(run: Run, dataset: PreferenceDataset) -> Section:
    """The command to run again, the files by content, and every setting with where it came from."""
    return Section(
        "How this was made",
        f"cr-audit {__version__}; the same files and settings give the same bytes",
        (
            Steps(((command_line(run), "run it again"),)),
            _files(dataset),
            *_encoder(run),
            Section("Settings", "and where each came from", (_settings(run),), folded=True),
        ),
    )


def command_line(run: Run) -> str:
    """What was typed, in full: options that were given, quoted for a shell, then the files."""
    words = ["cr-audit", run.command]
    for name, value in run.options.items():
        if name not in _WRITES:
            words += _option(f"--{name.replace('_', '-')}", value)
    for name, source in run.given.sources.items():
        if source == "flag" and name != "files":
            words += _setting(name, _value_of(run, name))
    if run.embeddings is not None:
        words += ["--embeddings", str(run.embeddings)]
    if run.config is not None and any(s == run.config.name for s in run.given.sources.values()):
        words += ["--config", str(run.config)]
    if run.fail_on not in (None, "never"):
        words += ["--fail-on", str(run.fail_on)]
    return shlex.join([*words, *run.files])


def _option(flag: str, value: Any) -> list[str]:
    """An option as typed; nothing for one that was left out or is a switch that is off."""
    if value is None or value is False or value == "":
        return []
    if value is True:
        return [flag]
    if isinstance(value, list | tuple):
        return [word for v in value for word in (flag, str(v))]
    return [flag, str(value)]


def _setting(name: str, value: Any) -> list[str]:
    setting = SETTINGS[name]
    on, _, off = setting.option.partition("/")
    if setting.kind == "switch":
        return [on if value else off]
    if setting.kind == "map" and isinstance(value, dict):
        return [on, ",".join(f"{role}={field}" for role, field in value.items())]
    return [on, f"{value:.10g}" if isinstance(value, float) else str(value)]


def _value_of(run: Run, name: str) -> Any:
    return run.reading[name] if name in run.reading else getattr(run.settings, name)


def _files(dataset: PreferenceDataset) -> Table:
    files = dataset.report.files
    return Table(
        (
            Column("file", "place"),
            Column("rows", "count", ("n_rows",)),
            Column("bytes", "count", ("n_bytes",)),
            Column("SHA-256", "id", ("sha256",)),
        ),
        len(files),
        lambda i: (
            Cell(files[i].path),
            Cell(f"{files[i].n_rows:,}", (files[i].n_rows,)),
            Cell(f"{files[i].n_bytes:,}", (files[i].n_bytes,)),
            Cell(files[i].sha256),
        ),
        name="files",
        caption="The files that were read, by content",
    )


def _encoder(run: Run) -> Iterator[Block]:
    e = run.analysis.embedding
    if isinstance(e, NotApplicable):
        return
    rows = [
        ("encoder", e.model),
        ("dimension", f"{e.dimension:,}"),
        ("texts encoded", f"{e.n_texts:,}"),
        ("fingerprint", e.fingerprint),
    ]
    yield Table.of(
        (Column("vectors"), Column("", "id")),
        [(Cell(what), Cell(value)) for what, value in rows],
        name="encoder",
        caption="The vectors behind weights and map",
    )


def _settings(run: Run) -> Table:
    def row(name: str) -> tuple[Cell, ...]:
        value, source = _value_of(run, name), run.given.sources.get(name, "default")
        shown = SETTINGS[name].default_in_words if source == "default" else str(value)
        chosen = source != "default"
        return (
            Cell(SETTINGS[name].key),
            Cell(shown, tone="strong" if chosen else "plain"),
            Cell(source, tone="plain" if chosen else "dim"),
            Cell(SETTINGS[name].text, tone="dim"),
        )

    names = [name for name in SETTINGS if name != "files"]
    columns = (Column("setting", "id"), Column("value"), Column("from"), Column("what it does"))
    return Table.of(columns, [row(name) for name in names], name="settings")
