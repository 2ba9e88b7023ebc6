"""``cr-audit gate``: may this batch be merged into its baseline?"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import tomllib
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cr_audit.cli import options as o
from cr_audit.errors import EXIT_FAILED, InputError, UsageError

if TYPE_CHECKING:
    from cr_audit.analysis.kept import Kept
    from cr_audit.cli.session import Session
    from cr_audit.data.dataset import PreferenceDataset
    from cr_audit.gate.policy import Policy
    from cr_audit.gate.verdict import Verdict
    from cr_audit.report.gate import GateReport

GATE = "Gate"


class GateFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"


class Profile(StrEnum):
    LENIENT = "lenient"
    DEFAULT = "default"
    STRICT = "strict"


@o.judges_batch
def gate(
    session: Any,
    output: Path | None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            metavar="FILE",
            help="The data that the batch would join; give it again for several files.",
            rich_help_panel=GATE,
        ),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(
            "--known",
            metavar="FILE",
            help="Findings written earlier with --write-baseline: marked as known, they do not"
            " fail.",
            rich_help_panel=GATE,
        ),
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option(
            "--write-baseline",
            "--write-known",
            metavar="FILE",
            help="Write all findings of this run for a later --known.",
            rich_help_panel=GATE,
        ),
    ] = None,
    profile: Annotated[
        Profile | None,
        typer.Option("--profile", help="Over which profile the policy lies.", rich_help_panel=GATE),
    ] = None,
    fail_on: Annotated[
        o.FailOn | None,
        typer.Option(
            "--fail-on", help="Fail on a finding of this severity or above.", rich_help_panel=GATE
        ),
    ] = None,
    today: Annotated[
        str | None,
        typer.Option(
            "--today",
            metavar="DAY",
            help="The day by which waivers run out, as 2027-06-30. [default: the clock's]",
            rich_help_panel=GATE,
        ),
    ] = None,
    init: Annotated[
        bool,
        typer.Option(
            "--init", help="Write a commented cr-audit.toml and stop.", rich_help_panel=GATE
        ),
    ] = False,
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report",
            metavar="FORMAT=FILE",
            help="One more report, e.g. sarif=out.sarif or markdown=-; as many as you like.",
            rich_help_panel=o.OUT,
        ),
    ] = None,
    format_: Annotated[
        GateFormat, typer.Option("--format", help="What to print.", rich_help_panel=o.OUT)
    ] = GateFormat.TABLE,
    full_text: o.FullText = False,
    exit_zero: o.ExitZero = False,
) -> None:
    """Judge a batch by what it does to the baseline: exit 0 merge it, 1 do not, 3 it cannot be
    read.

    Examples:

      cr-audit gate --baseline main.jsonl batch.jsonl

      cr-audit gate --baseline main.jsonl batch.jsonl --report sarif=gate.sarif --report markdown=-

      cr-audit gate --init
    """
    from cr_audit.cli.session import write
    from cr_audit.report.gate_rendering import render_gate

    run: Session = session
    if init:
        _init(profile or Profile.DEFAULT, output)
        return
    targets = _targets(report or [], format_, output)
    if not baseline or not run.files:
        wanted = (("a baseline (--baseline FILE)", baseline), ("a batch (FILE)", run.files))
        missing = " and ".join(what for what, given in wanted if not given)
        raise UsageError(
            "no-baseline",
            f"gate wants {missing}",
            next_step="cr-audit gate --baseline main.jsonl batch.jsonl",
        )
    day = _today(today)
    files = [target for _, target in targets if target is not None]
    _not_inputs(files, [*baseline, *run.files, *(str(p) for p in (known, run.config) if p)])
    try:
        result = judge_batch(run, baseline, profile, fail_on, known, write_baseline, day)
    except BaseException:
        # An earlier run's report must not be taken for one of this run, which has no verdict.
        for file in files:
            if file.is_file():
                file.unlink()
        raise
    for name, target in targets:
        text = render_gate(result, name, full_text=full_text, to_file=target is not None)
        write(text, target)
    run.say(f"gate: {result.verdict.reason}")
    raise typer.Exit(0 if exit_zero or result.verdict.passed else EXIT_FAILED)


def judge_batch(
    run: Session,
    baseline: list[str],
    profile: Profile | None,
    fail_on: o.FailOn | None,
    known: Path | None,
    write_to: Path | None,
    today: date,
) -> GateReport:
    """Read, compare, judge, decide; write the file of known findings where asked for."""
    from cr_audit.cli.session import progress_bar
    from cr_audit.gate.compare import compare
    from cr_audit.gate.judge import judge
    from cr_audit.gate.known import MadeBy, read_known, write_known
    from cr_audit.gate.verdict import decide
    from cr_audit.report.gate import GateReport

    policy = _policy(run, profile, fail_on)
    if known is not None and not known.is_file():
        raise InputError(
            "no-known-findings",
            "the file of known findings does not exist",
            where=str(known),
            next_step="write it with --write-baseline",
        )
    kept = run.kept()
    old = _read(run, baseline, run.resolved.read["max_skipped"], kept)
    flag = run.resolved.sources.get("max_skipped") == "flag"
    most = run.resolved.read["max_skipped"] if flag else policy.max_unreadable
    limit = "--max-skipped" if flag else f"max-unreadable ([{policy.table}] in {policy.file})"
    new = _read(run, run.files, most, limit_name=limit)
    with progress_bar(enabled=not run.quiet) as progress:
        effect = compare(
            old,
            new,
            run.resolved.analysis,
            backend_for=run.backend,
            cache=run.cache(),
            kept=kept,
            confidence_level=policy.confidence_level,
            progress=progress,
        )
    made_by = MadeBy.of(effect.after)
    entries = None if known is None else read_known(known, made_by)
    verdict: Verdict = decide(judge(effect, policy), policy, known=entries, today=today)
    if write_to is not None:
        write_known(write_to, tuple(j.finding for j in verdict.judged), made_by)
    sources = dict(run.resolved.sources)
    for name in ("unit", "scope"):
        if sources.get(name, "default") == "default":
            sources[name] = "baseline"
    return GateReport(effect, policy, verdict, sources, run.resolved.read)


def _read(
    run: Session,
    files: list[str],
    max_skipped: float,
    kept: Kept | None = None,
    limit_name: str = "--max-skipped",
) -> PreferenceDataset:
    from cr_audit.cli.session import progress_bar
    from cr_audit.readers import read

    names = ("schema", "map", "expand_choices", "ratings_to_pairs")
    schema, mapping, expand, pair = (run.resolved.read[name] for name in names)

    def fresh() -> PreferenceDataset:
        with progress_bar(enabled=not run.quiet) as report:
            return read(
                files,
                schema=schema,
                mapping=mapping,
                max_skipped=max_skipped,
                limit_name=limit_name,
                expand_choices=expand,
                ratings_to_pairs=pair,
                progress=lambda done, total: report("reading", done, total),
                stdin=sys.stdin.buffer,
            )

    # A pipe can be read once only; what is no file is for the reader to refuse.
    if kept is None or not all(Path(name).is_file() for name in files):
        return fresh()
    digests = [_sha256(Path(name)) for name in files]
    return kept.call(
        "read",
        (files, digests, schema, mapping, max_skipped, expand, pair),
        fresh,
        sound=lambda data: [f.sha256 for f in data.report.files] == digests,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _policy(run: Session, profile: Profile | None, fail_on: o.FailOn | None) -> Policy:
    """The policy of the settings file; its unit, model and radius hold unless a flag says more."""
    from cr_audit.gate.policy import parse_policy

    where, table = gate_table(run.config)
    if profile is not None:
        table = {**table, "profile": profile.value}
    if fail_on is not None:
        table = {**table, "fail-on": fail_on.value}
    policy = parse_policy(table, where or "the command line")
    if not table:
        policy = dataclasses.replace(policy, source="default")
    sources = dict(run.resolved.sources)
    values = {}
    for name, value in policy.settings.items():
        if sources.get(name) != "flag":
            values[name], sources[name] = value, f"{where} [gate]"
    if run.resolved.sources.get("confidence_level") == "flag":
        policy = dataclasses.replace(
            policy, confidence_level=run.resolved.analysis.confidence_level
        )
    run.resolved = dataclasses.replace(
        run.resolved,
        analysis=dataclasses.replace(run.resolved.analysis, **values),
        sources=sources,
    )
    return policy


def gate_table(config: Path | None) -> tuple[str, dict[str, Any]]:
    """The [gate] table of the settings file, and the file's name; empty where there is none.

    The file has been read before, by ``cli.settings``: that it is valid TOML is known.
    """
    for path in [config] if config else [Path("cr-audit.toml"), Path("pyproject.toml")]:
        if not path.is_file():
            continue
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        if path.name == "pyproject.toml":
            table = table.get("tool", {}).get("cr-audit", {})
            if not table:
                continue
        found = table.get("gate", {})
        if not isinstance(found, dict):
            raise InputError(
                "bad-policy-value",
                "gate must be a table",
                where=str(path),
                found=repr(found)[:200],
                next_step="write [gate]",
            )
        return str(path), found
    return "", {}


def _targets(
    reports: list[str], format_: GateFormat, output: Path | None
) -> list[tuple[str, Path | None]]:
    """(format, file or None for stdout). The main report is left out where another one goes to
    stdout and no -o names a file for it."""
    out: list[tuple[str, Path | None]] = []
    for text in reports:
        name, sep, target = text.partition("=")
        if not sep or not target or name not in list(GateFormat):
            raise UsageError(
                "bad-report",
                "--report wants FORMAT=FILE",
                found=text,
                next_step=f"formats: {', '.join(GateFormat)}; - is stdout",
            )
        out.append((name, None if target == "-" else Path(target)))
    if output is not None or all(target is not None for _, target in out):
        out.insert(0, (format_.value, output))
    if sum(target is None for _, target in out) > 1:
        raise UsageError(
            "two-reports-on-stdout", "only one report can go to stdout", next_step="name files"
        )
    files = [target.resolve() for _, target in out if target is not None]
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice is not None:
        raise UsageError(
            "two-reports-in-a-file",
            "two reports would go to one file",
            found=str(twice),
            next_step="name a file for each",
        )
    return out


def _not_inputs(reports: list[Path], inputs: list[str]) -> None:
    """Refuses a report that would replace a file that is read."""
    read = {Path(name).resolve() for name in inputs if name != "-"}
    for report in reports:
        if report.resolve() in read:
            raise UsageError(
                "report-on-input",
                "a report would replace a file that is read",
                found=str(report),
                next_step="name another file for the report",
            )


def _today(text: str | None) -> date:
    if text is None:
        return date.today()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            "bad-day", "--today wants a day", found=text, next_step="write it as 2027-06-30"
        ) from error


def _init(profile: Profile, output: Path | None) -> None:
    from cr_audit.cli.session import write
    from cr_audit.gate.policy import commented

    target = output or Path("cr-audit.toml")
    if target.exists():
        raise UsageError(
            "policy-exists",
            "the file exists; nothing was written",
            where=str(target),
            next_step="name another with -o, and copy what you need",
        )
    write(commented(profile.value), target)
    typer.echo(f"wrote {target}; edit it, then: cr-audit gate --baseline main.jsonl batch.jsonl")
