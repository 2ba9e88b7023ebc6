"""The verdict for people: why, which findings, what grows, what moves, and what to do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Cell, Column, Header, Prose, Section, Steps, Table, Verdict
from cr_audit.findings import Bin
from cr_audit.gate.advice import acceptance, advice, commands
from cr_audit.gate.decision import Decision
from cr_audit.gate.growth import ClusterGain
from cr_audit.gate.rules import gate_rules
from cr_audit.gate.verdict import Judged
from cr_audit.wording import percent, plural, verb

MAX_PER_RULE = 3
MAX_GAINS = 8
MAX_RATES = 8
MAX_GONE = 3
SHARES = (
    "baseline, batch: share of the baseline's responses and of the batch's new ones to the prompt"
    " (of all, for an answer under many prompts); weight: before and after the batch"
)
BIN_WORDS: dict[Bin, str] = {
    "failing": "fails",
    "baselined": "known",
    "waived": "waived",
    "below_threshold": "",
}


def blocks(decision: Decision) -> list[Block]:
    """The whole report. Only what there is to say gets a section."""
    lines = [line for line in (agreement_line(decision), graph_line(decision)) if line]
    sections = (
        _findings(decision),
        _gains(decision),
        _rates(decision),
        _lines("Also", lines),
        _lines("Policy", decision.policy_lines()),
        _lines("Not judged", decision.not_judged()),
        _vanished(decision),
        _next(decision),
    )
    return [
        Header("gate", decision.batch_files, "", decision.baseline_files),
        _verdict(decision),
        Prose((what_was_judged(decision),), "dim"),
        *(section for section in sections if section is not None),
    ]


def what_was_judged(decision: Decision) -> str:
    """One sentence: the batch, and the baseline it is held against."""
    effect = decision.effect
    batch, before = effect.batch, effect.before.dataset
    skipped = f" ({plural(batch.rows_skipped, 'row')} skipped)" if batch.rows_skipped else ""
    n_new = int(effect.is_new.sum())
    of = f"{plural(n_new, 'new response')}" if n_new else "no new response"
    return (
        f"{plural(batch.rows_read, 'row')}{skipped} with"
        f" {plural(int(effect.added.sum()), 'comparison')} and {of}, against a baseline of"
        f" {plural(before.comparisons.height, 'comparison')} and"
        f" {plural(before.n_alternatives, 'response')}."
    )


def _verdict(decision: Decision) -> Verdict:
    verdict, policy = decision.verdict, decision.policy
    made = f"profile {policy.profile}, from {policy.source}"
    if policy.source == "default":
        made = f"profile {policy.profile}"
    if decision.judging is not None and decision.judging.commit:
        made += f" (commit {decision.judging.commit[:12]})"
    note = f"{made}; fails on {policy.fail_on}, confidence level {policy.confidence_level:g}"
    return Verdict(verdict.passed, verdict.reason.partition(": ")[2], note)


def _lines(title: str, lines: list[str] | tuple[str, ...], note: str = "") -> Section | None:
    return Section(title, note, (Prose(tuple(lines), "dim"),)) if lines else None


def _findings(decision: Decision) -> Section:
    judged = decision.verdict.judged
    if not judged:
        return Section("Findings", "none")
    shown, left, rest = _shown(judged)
    n = len(decision.verdict.of("failing"))
    table = Table.of(
        (
            Column("rule", "id", ("rule", "fingerprint")),
            Column("severity", "id", ("severity",)),
            Column("", "id", ("bin", "known")),
            Column("finding, and its first row", fields=("message", "row", "subject")),
        ),
        [_finding_cells(j) for j in (*shown, *left)],
        name="findings",
        limit=len(shown),
        more=f"more findings ({', '.join(rest)})",
        main=True,
    )
    return Section("Findings", f"{n:,} of {len(judged):,} {verb(n, 'fails', 'fail')}", (table,))


def _finding_cells(judged: Judged) -> tuple[Cell, ...]:
    f, dim = judged.finding, judged.bin in ("baselined", "waived")
    row = f.rows[0] if f.rows else ""
    return (
        Cell(f.rule, (f.rule, f.fingerprint), below=f.fingerprint),
        Cell(str(f.severity), tone="dim" if dim else f.severity.value),
        Cell(BIN_WORDS[judged.bin], (judged.bin, judged.known), "dim" if dim else "plain"),
        Cell(f.message, (f.message, row, f.subject), below=row),
    )


def _shown(judged: tuple[Judged, ...]) -> tuple[list[Judged], list[Judged], list[str]]:
    """A few findings of a rule and bin, the others, and these in words. What a rule tells about
    a subject is not told again by those that it names (``GateRule.tells``), unless they fail
    and it does not."""
    told_by = {id_: rule.id for rule in gate_rules() for id_ in rule.tells}
    bins = {(j.finding.rule, j.finding.subject): j.bin for j in judged}
    shown: list[Judged] = []
    left: list[Judged] = []
    seen: Counter[tuple[str, str]] = Counter()
    n_more: Counter[str] = Counter()
    n_told: Counter[str] = Counter()
    for j in judged:
        rule = j.finding.rule
        teller = told_by.get(rule, "")
        told = bins.get((teller, j.finding.subject))
        if told is not None and (told == "failing" or j.bin != "failing"):
            n_told[teller] += 1
            left.append(j)
            continue
        seen[rule, j.bin] += 1
        if seen[rule, j.bin] > MAX_PER_RULE:
            n_more[rule] += 1
            left.append(j)
        else:
            shown.append(j)
    rest = [f"{n:,} of {rule}" for rule, n in sorted(n_more.items())]
    rest += [f"{n:,} told with {rule}" for rule, n in sorted(n_told.items())]
    return shown, left, rest


def _gains(decision: Decision) -> Section | None:
    gains = decision.gains
    if not gains:
        return None
    table = Table(
        (
            Column("prompt", "line", ("prompt",)),
            Column("old", "count", ("n_old",)),
            Column("new", "count", ("n_new",)),
            Column("baseline", "number", ("share_baseline",)),
            Column("batch", "number", ("share_batch",)),
            Column("weight", "number", ("weight_before", "weight_after")),
            Column("a new copy", "line", ("text",)),
        ),
        len(gains),
        lambda i: _gain_cells(decision, gains[i]),
        name="growing-clusters",
        limit=MAX_GAINS,
        more="more clusters",
        legend=SHARES,
    )
    return Section("Clusters that grow", "", (table,))


def _gain_cells(decision: Decision, g: ClusterGain) -> tuple[Cell, ...]:
    weight = "—"
    if g.weight_after == g.weight_after:  # not NaN
        weight = f"{percent(g.weight_before)} → {percent(g.weight_after)}"
    data = decision.effect.after.dataset
    first = int(g.new[0])
    where = plural(g.n_prompts, "prompt")
    if g.scope != "boilerplate":
        where = data.prompts["text"][data.alternatives["prompt"][first]] or "(none)"
    text = data.alternatives["text"][first] or "(empty)"
    return (
        Cell(where, (where,)),
        Cell(f"{g.n_old:,}", (g.n_old,)),
        Cell(f"{g.new.size:,}", (int(g.new.size),)),
        Cell(percent(g.scope_share_before), (g.scope_share_before,)),
        Cell(percent(g.batch_share), (g.batch_share,)),
        Cell(weight, (g.weight_before, g.weight_after)),
        Cell(text, (text,)),
    )


@dataclass(frozen=True, slots=True)
class _Rate:
    """One item's line. weighted_* are NaN without weights."""

    item: int
    rank_before: int
    rank_after: int
    before: float
    after: float
    change: float
    error: float
    weighted_change: float
    weighted_error: float
    beyond_noise: bool


def _rate_rows(decision: Decision) -> list[_Rate]:
    """The items whose average win rate moves, most in units of its error first."""
    ranking = decision.effect.ranking
    if isinstance(ranking, NotApplicable):
        return []
    a, w = ranking.effect.average, ranking.effect.weighted
    at = np.flatnonzero(ranking.effect.touched)
    size = np.abs(a.change[at]) / np.maximum(a.error[at], 1e-9)
    return [
        _Rate(
            item=i,
            rank_before=int(a.rank_before[i]),
            rank_after=int(a.rank_after[i]),
            before=float(a.before[i]),
            after=float(a.after[i]),
            change=float(a.change[i]),
            error=float(a.error[i]),
            weighted_change=float("nan") if w is None else float(w.change[i]),
            weighted_error=float("nan") if w is None else float(w.error[i]),
            beyond_noise=bool(a.beyond_noise[i]),
        )
        for i in at[np.lexsort((at, -np.round(size, 6)))].tolist()
    ]


def _rates(decision: Decision) -> Section | None:
    rows, ranking = _rate_rows(decision), decision.effect.ranking
    if not rows or isinstance(ranking, NotApplicable):
        return None
    unit, effect = decision.effect.unit, ranking.effect
    weighted = effect.weighted is not None
    columns = [
        Column("rank", "number", ("rank_before", "rank_after")),
        Column(unit.unit, "line", ("item", "name")),
        Column("win rate", "number", ("before", "after")),
        Column("change ± error", "number", ("change", "standard_error", "beyond_noise")),
    ]
    if weighted:
        fields = ("weighted_change", "weighted_standard_error")
        columns.append(Column("weighted ± error", "number", fields))
    table = Table(
        tuple(columns),
        len(rows),
        lambda i: _rate_cells(decision, rows[i])[: len(columns)],
        name="changed-win-rates",
        limit=MAX_RATES,
        more=f"more {unit.unit}s",
        legend=f"{effect.n_replicates:,} resamples of {ranking.resampled.value}; a change of more"
        f" than {effect.critical_value:.2f} errors is beyond noise",
    )
    return Section(f"Win rates by {unit.unit}", "largest changes first", (table,))


def _rate_cells(decision: Decision, r: _Rate) -> tuple[Cell, ...]:
    items = decision.effect.unit.items
    noise = "" if r.beyond_noise else " (noise)"
    return (
        Cell(f"{r.rank_before} → {r.rank_after}", (r.rank_before, r.rank_after)),
        Cell(items.names[r.item] or "(empty)", (items.ids[r.item], items.names[r.item])),
        Cell(f"{r.before:.3f} → {r.after:.3f}", (r.before, r.after)),
        Cell(
            f"{r.change:+.3f} ± {r.error:.3f}{noise}",
            (r.change, r.error, r.beyond_noise),
            "plain" if r.beyond_noise else "dim",
        ),
        Cell(
            f"{r.weighted_change:+.3f} ± {r.weighted_error:.3f}",
            (r.weighted_change, r.weighted_error),
        ),
    )


def agreement_line(decision: Decision) -> str:
    """Contradictions beside the baseline's own, or nothing."""
    c = decision.effect.contradictions
    if isinstance(c, NotApplicable):
        return ""
    return (
        f"{c.n_against:,} of {plural(c.n, 'judgement')} of known pairs"
        f" {verb(c.n_against, 'goes', 'go')} against the baseline ({percent(c.share)});"
        f" {percent(c.expected)} would be expected by how the baseline's own"
        f" {plural(c.n_expected, 'judgement')} of such pairs differ"
        f" (p = {c.p_value:.2g})."
    )


def graph_line(decision: Decision) -> str:
    """The comparison graph before and after, or nothing."""
    effect = decision.effect
    before, after = effect.before.units[0].graph, effect.unit.graph
    unit = effect.unit.unit
    if effect.unit.comparisons.n == 0:
        return ""
    fit = {
        (True, True): "exists as before",
        (True, False): "no longer exists",
        (False, True): "exists now",
        (False, False): "does not exist, as before",
    }
    return (
        f"graph by {unit}: {before.n_components:,} → {plural(after.n_components, 'component')},"
        f" {before.comparisons_per_item.median:g} → {after.comparisons_per_item.median:g}"
        f" comparisons per {unit} (median); a fit without a penalty"
        f" {fit[before.unpenalised_fit_exists, after.unpenalised_fit_exists]}"
    )


def _vanished(decision: Decision) -> Section | None:
    gone = decision.verdict.vanished
    lines = [f"{k.rule} {k.message}" for k in gone[:MAX_GONE]]
    if len(gone) > MAX_GONE:
        lines.append(f"… and {len(gone) - MAX_GONE:,} more")
    return _lines(
        "No longer found", lines, f"{plural(len(gone), 'known finding')} of the file given"
    )


def _next(decision: Decision) -> Section | None:
    sentences = advice(decision)
    if not sentences:
        return None
    return Section(
        "Next",
        "",
        (
            Prose(tuple(sentences)),
            Steps(tuple(commands(decision))),
            Prose((acceptance(decision),), "dim"),
        ),
    )
