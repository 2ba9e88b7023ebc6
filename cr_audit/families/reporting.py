"""From facts to a report: findings, document and blocks of several families together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import (
    Block,
    Cell,
    Column,
    Map,
    Number,
    Numbers,
    Picture,
    Prose,
    Section,
    Span,
    Steps,
    Table,
    Tone,
)
from cr_audit.families import FAMILIES, Family
from cr_audit.families.provenance import provenance
from cr_audit.findings import Finding, Rule, outcome_of, ranked
from cr_audit.heads import typed_files
from cr_audit.reports import Report
from cr_audit.wire import Texts, document, finding, setting_records
from cr_audit.wording import plural

if TYPE_CHECKING:
    from cr_audit.data.dataset import PreferenceDataset
    from cr_audit.run import Run

MAX_NUMBERS = 3
FEW = 0.1
"""Share of the items of a map below which clusters are not what colours show at first."""
MOST_RULES, MOST_IN_SCAN = 4, 3
"""Of a terminal without --details; a scan is to fit one screen."""

READ_AS = ("expand_choices", "ratings_to_pairs")
"""Switches without which the same files hold other comparisons, or none."""

FactsOf = Callable[[Family], Any]


def in_scan() -> tuple[Family, ...]:
    """The families that every audit of a data set looks at."""
    return tuple(f for f in FAMILIES.values() if f.in_scan)


def shown_by(family: str) -> Any:
    """The ``show`` module of a family, where the report of another one holds some of its blocks."""
    return FAMILIES[family].part("show")


def judge(families: Iterable[Family], facts_of: FactsOf) -> tuple[Finding, ...]:
    """All findings, the most severe first, then by rule, then in the rule's own order."""
    return ranked(
        found
        for family in families
        for rule in family.rules
        if rule.judge is not None
        for found in rule.judge(facts_of(family))
    )


def rules_of(families: Iterable[Family]) -> tuple[Rule, ...]:
    """What was looked for, by id."""
    return tuple(sorted((r for f in families for r in f.rules), key=lambda r: r.id))


def parts_of(families: Iterable[Family], facts_of: FactsOf, texts: Texts) -> dict[str, Any]:
    """The families' parts of the JSON document; of those that did not run, why."""
    ran = list(families)
    out: dict[str, Any] = {}
    for family in FAMILIES.values():
        if family in ran:
            part = family.part("wire")
            if part is not None:
                out |= part.parts(facts_of(family), texts)
        else:
            out |= {key: NotApplicable(reason) for key, reason in family.not_run}
    return out


def report(
    run: Run,
    blocks: Callable[[tuple[Finding, ...]], Sequence[Block]],
    *,
    also: Sequence[str] = (),
    judged: bool = True,
    pictures: Callable[[], Sequence[Picture] | NotApplicable] | None = None,
) -> Report:
    """The report of a command on one data set.

    blocks : findings -> what people see. also : families beside those of a scan that ran. judged :
    whether the findings of all of them belong to the report.
    """
    families = (*in_scan(), *(FAMILIES[name] for name in also))

    def facts_of(family: Family) -> Any:
        return run.facts(family.name)

    findings = judge(families, facts_of) if judged else ()
    files = run.dataset.report.files
    place = files[0].path if files else "-"
    return Report(
        command=run.command,
        blocks=lambda: blocks(findings),
        document=lambda full: run_document(run, run.dataset, families, facts_of, findings, full),
        outcome=outcome_of(
            findings, rules_of(families) if judged else (), run.fail_on or "never", place
        ),
        pictures=pictures or (lambda: NotApplicable("this command draws nothing")),
        exit_zero=run.exit_zero,
        more=lambda: page(run, run.dataset, families),
        own_rules=tuple(rule.id for name in also for rule in FAMILIES[name].rules),
    )


def page(
    run: Run,
    dataset: PreferenceDataset,
    families: Sequence[Family],
    own: Sequence[Number] = (),
    how: Sequence[Block] = (),
) -> list[Block]:
    """What a browser's page shows beyond the blocks: numbers, what the families' ``page`` modules
    have, those of the command itself first, and how the report was made.

    own, how : numbers and blocks of a command that is no family.
    """
    ordered = sorted(families, key=lambda f: (f.name != run.command, f.in_scan))
    numbers, out = list(own), []
    for family in ordered:
        part = family.part("page")
        if part is None:
            continue
        facts = run.facts(family.name)
        if hasattr(part, "numbers"):
            numbers += part.numbers(facts)
        out += part.blocks(facts)
    coloured = [_coloured(b, run, families) for b in out]
    return [Numbers(tuple(numbers[:MAX_NUMBERS])), *coloured, *how, provenance(run, dataset)]


def _coloured(block: Block, run: Run, families: Sequence[Family]) -> Block:
    """Maps with what other families know of the same items. What colours more of them is first."""
    if isinstance(block, Section):
        return replace(block, blocks=tuple(_coloured(b, run, families) for b in block.blocks))
    if not isinstance(block, Map):
        return block
    parts = [(f.part("page"), f.name) for f in families]
    found = [
        part.colouring(run.facts(name), block.items)
        for part, name in parts
        if part is not None and hasattr(part, "colouring")
    ]
    held = [*block.colourings, *(c for c in found if c is not None)]
    # Clusters say most where they are; where they are few, kinds do.
    held.sort(
        key=lambda c: c.by == "cluster" and sum(g >= 0 for g in c.groups) < FEW * len(c.groups)
    )
    return replace(block, colourings=tuple(held))


def run_document(
    run: Run,
    dataset: PreferenceDataset,
    families: Sequence[Family],
    facts_of: FactsOf,
    findings: Sequence[Finding],
    full_text: bool,
) -> dict[str, Any]:
    """The whole document of one run; ``files`` stand under dataset, as they were given."""
    values = {k: v for k, v in run.reading.items() if k != "files"}
    values |= {k: getattr(run.settings, k) for k in type(run.settings).__slots__}
    return document(
        run.command,
        setting_records(values, run.given.sources),
        parts_of(families, facts_of, Texts(dataset, full_text)),
        [finding(f) for f in findings],
    )


def finding_section(findings: Sequence[Finding], *, most: int = MOST_RULES) -> Section:
    """One line a rule and severity: its first finding, and how many more there are."""
    if not findings:
        return Section("Findings", "none")
    groups: dict[tuple[str, str], list[Finding]] = {}
    for f in findings:
        groups.setdefault((f.rule, f.severity), []).append(f)
    table = Table.of(
        (
            Column("rule", "id"),
            Column("severity", "id"),
            Column("finding"),
            Column("first row", "place", wide=True),
        ),
        [
            (
                Cell(first.rule),
                Cell(str(first.severity), tone=first.severity.value),
                Cell((first.brief, Span(f" (and {more:,} more)", "dim")) if more else first.brief),
                Cell(first.rows[0] if first.rows else ""),
            )
            for first, more in ((group[0], len(group) - 1) for group in groups.values())
        ],
        name="findings",
        brief=most,
        more="more rules",
    )
    note = plural(len(findings), "finding")
    if len(groups) < len(findings):
        worst = f"the worst {most} of " if len(groups) > most else ""
        note += f", {worst}{plural(len(groups), 'rule')}; all with --format json"
    return Section("Findings", note, (table,))


def command_on(run: Run, command: str, more: str = "", *, by_unit: bool = False) -> str:
    """``command`` on the files of this run, and by its unit where that was chosen, to be copied."""
    read = [f"--{key.replace('_', '-')}" for key in READ_AS if run.reading.get(key)]
    unit = f"--unit {run.settings.unit}" if by_unit and not run.is_default("unit") else ""
    parts = ("cr-audit", command, typed_files(run.dataset), *read, unit, more)
    return " ".join(part for part in parts if part)


def next_steps(why: str, steps: Sequence[tuple[str, str]]) -> list[Block]:
    """One thing to do now and why; nothing where there is nothing to do."""
    return [Section("Next", why, (Steps(tuple(steps)),))] if steps else []


def verdict(findings: Sequence[Finding], said: str = "") -> Prose:
    """Once more where a reader stops reading: what came out, how bad it is, and the worst of it.

    said : a sentence with its full stop, the command's own answer.
    """
    before = f"Verdict: {said} " if said else "Verdict: "
    if not findings:
        return Prose((f"{before}{'N' if said else 'n'}othing was found.",), "good", again=True)
    counts = [
        plural(n, name)
        for name in ("error", "warning", "note")
        if (n := sum(f.severity == name for f in findings))
    ]
    worst = findings[0]
    tone: Tone = "good" if worst.severity == "note" else worst.severity.value
    # What the command found is often the worst finding itself.
    core = worst.message.split(": ", 1)[-1].split("; ", 1)[0]
    told = said and any(part.casefold() in said.casefold() for part in (worst.message, core))
    also = f" ({worst.rule})" if told else f"; {worst.rule} {worst.brief}"
    return Prose((f"{before}{', '.join(counts)}{also}.",), tone, again=True)
