"""``cr-audit gate``: may this batch be merged into its baseline?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cr_audit.commands import Command, Option
from cr_audit.errors import InputError, UsageError
from cr_audit.gate.boundaries import PROFILES

if TYPE_CHECKING:
    from cr_audit.arrays import NotApplicable
    from cr_audit.data.dataset import PreferenceDataset
    from cr_audit.gate.compare import BatchEffect
    from cr_audit.gate.decision import Decision
    from cr_audit.gate.own_policy import PolicyChange
    from cr_audit.gate.policy import Policy
    from cr_audit.reports import Report
    from cr_audit.run import Run

GROUP = "Gate"
SETTLED_BY_BASELINE = ("unit", "scope")


def report(run: Run) -> Report:
    """Read, compare, judge, decide; the file of known findings is written where asked for."""
    return report_of(run, decide_on(run))


def _read_both(run: Run, policy: Policy) -> tuple[PreferenceDataset, PreferenceDataset]:
    """The baseline and the batch. Raises InputError where they are not read alike."""
    from cr_audit.readers import reading_mismatch

    baseline = run.read(tuple(run.options["baseline"]), kept=run.kept)
    if run.given.sources.get("max_skipped") == "flag":
        batch = run.read(run.files)
    else:
        limit = f"max-unreadable ([{policy.table}] in {policy.file})"
        batch = run.read(run.files, max_skipped=policy.max_unreadable, limit_name=limit)
    unlike = reading_mismatch(baseline.report, batch.report)
    if unlike is not None:
        raise unlike
    return baseline, batch


def decide_on(run: Run) -> Decision:
    """What the batch comes to. Raises UsageError and InputError before anything is computed."""
    _both_given(run)
    today = _day(run.options["today"])
    policy = policy_of(run)
    known: Path | None = run.options["known"]
    held = None if run.judging is None else run.judging.known
    if known is not None and held is None and not known.is_file():
        raise InputError(
            "no-known-findings",
            "the file of known findings does not exist",
            where=str(known),
            next_step="write it with --write-baseline",
        )
    import polars as pl

    from cr_audit.gate.compare import compare
    from cr_audit.gate.decision import Decision
    from cr_audit.gate.judge import judge, judge_sum
    from cr_audit.gate.known import MadeBy, read_known, write_known
    from cr_audit.gate.ledger import read_ledger, sum_of, write_ledger
    from cr_audit.gate.rules import ordered
    from cr_audit.gate.verdict import decide

    path: Path | None = run.options["ledger"]
    carried = None if run.judging is None else run.judging.ledger
    ledger = None if path is None else read_ledger(path, carried)
    kept = run.kept
    baseline, batch = _read_both(run, policy)

    def compared(old: PreferenceDataset, new: PreferenceDataset, level: float) -> BatchEffect:
        return compare(
            old,
            new,
            run.settings,
            backend_for=run.backend,
            cache=run.cache,
            kept=kept,
            confidence_level=level,
            progress=run.progress,
        )

    effect = compared(baseline, batch, policy.confidence_level)
    findings = judge(effect, policy)
    total = None if ledger is None else sum_of(ledger, baseline, batch)
    if total is not None:
        level = total.level(policy.confidence_level)
        summed = compared(total.baseline, total.batch, level)
        findings = ordered(
            (*findings, *judge_sum(summed, policy, level, total.n_batches, findings))
        )
    made_by = MadeBy.of(effect.after)
    entries = None if known is None else read_known(known, made_by, held)
    verdict = decide(findings, policy, known=entries, today=today)
    own_changes = _own_changes(run)  # before any of these files is written anew
    target: Path | None = run.options["write_baseline"]
    if target is not None:
        write_known(target, tuple(j.finding for j in verdict.judged), made_by)
    if path is not None and ledger is not None and verdict.passed:
        ids = effect.after.dataset.alternatives["id"].filter(pl.Series(effect.is_new)).to_list()
        write_ledger(path, ledger.with_batch(batch.report, ids))
    return Decision(
        effect,
        policy,
        verdict,
        radius_chosen=not run.is_default("radius"),
        judging=run.judging,
        own_changes=own_changes,
    )


def _table_of(run: Run, table: Mapping[str, Any]) -> dict[str, Any]:
    """A policy table under what the command line says."""
    out = dict(table)
    if run.options["profile"] is not None:
        out["profile"] = run.options["profile"]
    if run.fail_on is not None:
        out["fail-on"] = run.fail_on
    return out


def _own_changes(run: Run) -> tuple[PolicyChange, ...] | NotApplicable:
    """What the checkout's own settings would have changed about the policy that judged."""
    from cr_audit.arrays import NotApplicable
    from cr_audit.gate.own_policy import carried_change, policy_changes
    from cr_audit.gate.policy import parse_policy

    judging = run.judging
    if judging is None:
        return NotApplicable("the policy of the checkout itself judged")
    if judging.unreadable:
        return NotApplicable(f"the checkout's own settings are no policy: {judging.unreadable}")
    try:
        own = parse_policy(_table_of(run, judging.own), "the checkout")
    except InputError as error:
        return NotApplicable(f"the checkout's own settings are no policy: {error.message}")
    judged = parse_policy(_table_of(run, run.policy), judging.reference)
    changes = policy_changes(judged, own, judging.settings, judging.own_settings)
    for key, carried in (("known", judging.known), ("ledger", judging.ledger)):
        if carried is not None:
            changes += carried_change(key, carried, run.options[key])
    return changes


def report_of(run: Run, decision: Decision) -> Report:
    """The report of a decision: the document is that of baseline and batch together."""
    from cr_audit.families.reporting import in_scan, page, run_document
    from cr_audit.gate import show, wire
    from cr_audit.gate.page import numbers
    from cr_audit.reports import Report

    sources = dict(run.given.sources)
    for name in SETTLED_BY_BASELINE:
        if run.is_default(name):
            sources[name] = "baseline"
    both = run.on(decision.effect.after, sources)

    def document(full_text: bool) -> dict[str, Any]:
        # What stands on the base facts alone: the rest costs time and judges nothing here.
        families = tuple(f for f in in_scan() if f.in_gate or "compute" not in f.roles)
        made = run_document(
            both, both.dataset, families, lambda f: both.facts(f.name), (), full_text
        )
        return made | {"findings": wire.findings(decision)} | wire.parts(decision)

    return Report(
        command=run.command,
        blocks=lambda: show.blocks(decision),
        document=document,
        outcome=decision.outcome(),
        exit_zero=run.exit_zero,
        said=f"gate: {decision.verdict.reason}",
        more=lambda: page(both, both.dataset, in_scan(), numbers(decision)),
    )


def policy_of(run: Run) -> Policy:
    """The policy of the settings file, under what the command line says. Its unit, model and
    radius become the run's, unless a flag says more."""
    from cr_audit.gate.policy import parse_policy
    from cr_audit.settings import Given

    where = run.policy_where or (f"{run.config}" if run.config else "")
    table = _table_of(run, run.policy)
    policy = parse_policy(table, where or "the command line")
    if not table and run.judging is None:
        policy = replace(policy, source="default")
    sources, values = dict(run.given.sources), {}
    for name, value in policy.settings.items():
        if sources.get(name) != "flag":
            values[name], sources[name] = value, f"{where} [gate]"
    if sources.get("confidence_level") == "flag":
        policy = replace(policy, confidence_level=run.settings.confidence_level)
    run.given = Given(replace(run.settings, **values), run.reading, sources)
    return policy


def _both_given(run: Run) -> None:
    wanted = (
        ("a baseline (--baseline FILE)", run.options["baseline"]),
        ("a batch (FILE)", run.files),
    )
    missing = " and ".join(what for what, given in wanted if not given)
    if missing:
        raise UsageError(
            "no-baseline",
            f"gate wants {missing}",
            next_step="cr-audit gate --baseline main.jsonl batch.jsonl",
        )


def _day(text: str | None) -> date:
    if text is None:
        return date.today()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            "bad-day", "--today wants a day", found=text, next_step="write it as 2027-06-30"
        ) from error


def write_policy(options: Mapping[str, Any], output: Path | None) -> str | None:
    """``--init``: write a commented policy; what to do next, or None without the switch."""
    if not options["init"]:
        return None
    from cr_audit.files import write_whole
    from cr_audit.gate.policy import commented

    target = output or Path("cr-audit.toml")
    if target.exists():
        raise UsageError(
            "policy-exists",
            "the file exists; nothing was written",
            where=str(target),
            next_step="name another with -o, and copy what you need",
        )
    text = commented(options["profile"] or "default")
    write_whole(text.encode("utf-8"), target, option="-o")
    return f"wrote {target}; edit it, then: cr-audit gate --baseline main.jsonl batch.jsonl"


COMMANDS = (
    Command(
        "gate",
        "Judge a batch by what it does to the baseline: exit 0 merge it, 1 do not, 3 it cannot be"
        " read.",
        report,
        examples=(
            "cr-audit gate --baseline main.jsonl batch.jsonl",
            "cr-audit gate --baseline main.jsonl batch.jsonl --report sarif=gate.sarif --report"
            " markdown=-",
            "cr-audit gate --baseline main.jsonl batch.jsonl --policy-from origin/main",
            "cr-audit gate --baseline main.jsonl batch.jsonl --ledger gate-ledger.json",
            "cr-audit gate --init",
        ),
        options=(
            Option(
                "baseline",
                "texts",
                None,
                "The data that the batch would join; give it again for several files.",
                GROUP,
                metavar="FILE",
            ),
            Option(
                "policy_from",
                "text",
                None,
                "Judge by the settings of this commit, or of this .toml file, not by those of the"
                " checkout that the batch came with.",
                GROUP,
                metavar="REF|FILE",
            ),
            Option(
                "known",
                "path",
                None,
                "Findings written earlier with --write-baseline: marked as known, they do not"
                " fail.",
                GROUP,
                metavar="FILE",
            ),
            Option(
                "write_baseline",
                "path",
                None,
                "Write all findings of this run for a later --known.",
                GROUP,
                flags=("--write-baseline", "--write-known"),
                metavar="FILE",
            ),
            Option(
                "ledger",
                "path",
                None,
                "What past batches added: read, judged together with this batch, and written anew"
                " where it passes. A file that is not there yet is begun.",
                GROUP,
                metavar="FILE",
            ),
            Option(
                "profile",
                "choice",
                None,
                "Over which profile the policy lies.",
                GROUP,
                choices=PROFILES,
            ),
            Option(
                "today",
                "text",
                None,
                "The day by which waivers run out, as 2027-06-30. [default: the clock's]",
                GROUP,
                metavar="DAY",
                first=False,
            ),
            Option("init", "switch", False, "Write a commented cr-audit.toml and stop.", GROUP),
        ),
        files="batch",
        judged=True,
        whole=True,
        instead=write_policy,
    ),
)
