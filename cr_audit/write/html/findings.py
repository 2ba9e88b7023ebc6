"""Findings as cards: what was found, where, the evidence, what to do, and how to accept it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cr_audit.findings import Outcome, Rule, Told
from cr_audit.write.html.parts import Page, paste
from cr_audit.write.html.text import TEXT, commented, text

MAX_FINDINGS, MAX_ROWS = 200, 5
FEW = 3
"""Findings of one rule that are shown at once."""
_BINS = {"failing": "fails", "baselined": "known", "waived": "waived", "below_threshold": ""}
_ID = re.compile(r"[a-z]+:[0-9a-f]{16}")
"""A content id, which says nothing to a reader."""
_SIGN = {"error": "✕", "warning": "!", "note": "i"}


def findings_card(page: Page, outcome: Outcome) -> str:
    """All of them, the most severe first; "" where nothing was looked for."""
    if not outcome.rules:
        return ""
    told, rules = outcome.told, {r.id: r for r in outcome.rules}
    alike: dict[tuple[str, str, str], list[Told]] = {}
    for t in told[:MAX_FINDINGS]:
        alike.setdefault((t.finding.rule, t.finding.severity.value, t.bin), []).append(t)
    cards: list[str] = []
    n_made = 0
    for (rule, *_), group in alike.items():
        made = _group(page, group, rules.get(rule), outcome.waivers_in)
        cards.append(made[0])
        n_made += made[1]
    note = f"{len(told):,} from {len(rules):,} rules" if told else f"none; {len(rules):,} rules"
    left = len(told) - n_made
    more = (
        f'<p class="note">{n_made:,} of {len(told):,} shown; the JSON report has them all.</p>'
        if left
        else ""
    )
    rest = "".join(f"<li>{text(line)}</li>" for line in outcome.not_judged[:MAX_FINDINGS])
    not_judged = f'<h3>Not judged</h3><ul class="note">{rest}</ul>' if rest else ""
    looked = "".join(f"<li><code>{text(r.id)}</code> {text(r.summary)}</li>" for r in outcome.rules)
    rules_list = (
        f"<details><summary>The {len(rules):,} rules that looked</summary>"
        f'<ul class="rules">{looked}</ul></details>'
    )
    # A word of its own per finding keeps them apart in a search.
    return page.wrapped(
        "Findings",
        note,
        [
            "\n".join(cards),
            more,
            not_judged,
            rules_list,
        ],
    )


def _group(
    page: Page, group: list[Told], rule: Rule | None, waivers_in: tuple[str, str] | None
) -> tuple[str, int]:
    """Findings of one rule, and how many fitted; what holds for all of them is said once. The first
    few, and the others to be unfolded, so that a rule that found much does not hide the next one.
    """
    alone = len(group) == 1
    first = group[0]
    advice = first.finding.advice
    shared = not alone and all(t.finding.advice == advice for t in group)
    made = [_finding(page, t, rule, waivers_in, alone=alone, advised=not shared) for t in group]
    cards = [card for card in made if page.fits(card)]
    if not cards:
        return "", 0
    if alone:
        return cards[0], 1
    name = text(first.finding.rule)
    what = name if rule is None else text(rule.summary)
    n = f'<span class="note">{len(group):,} findings</span>'
    head = f"<h3>{_badge(first)} <code>{name}</code>{_state(first)} {what} {n}</h3>"
    said = f"<p>{commented(advice)}</p>" if advice and shared else ""
    explain = f"<details><summary>Explain</summary>{paste(_explain(first))}</details>"
    whole = cards
    if len(cards) > FEW + 1:
        more = f"{len(cards) - FEW:,} more of <code>{name}</code>"
        folded = "\n".join(cards[FEW:])
        whole = cards[:FEW]
        whole.append(f'<details class="more"><summary>{more}</summary>{folded}</details>')
    inside = "\n".join(whole)
    return f'<div class="alike f-{_tone(first)}">{head}{said}{explain}\n{inside}</div>', len(cards)


def _finding(
    page: Page,
    told: Told,
    rule: Rule | None,
    waivers_in: tuple[str, str] | None,
    *,
    alone: bool,
    advised: bool,
) -> str:
    """One finding; alone : with what its group would say for it; advised : with its advice."""
    f = told.finding
    message = text(f.message, TEXT)
    parts = []
    if alone:
        head = f"{_badge(told)} <code>{text(f.rule)}</code>{_state(told)}"
        parts.append(f"<h3>{head} {message}</h3>")
        if rule is not None:
            parts.append(f'<p class="note">{text(rule.summary)}</p>')
    else:
        parts.append(f"<h4>{message}</h4>")
    if told.waived_by:
        parts.append(f"<p>Waived: {text(told.waived_by, TEXT)}</p>")
    if f.advice and advised:
        parts.append(f"<p>{commented(f.advice)}</p>")
    if f.rows:
        parts.append(f"<p>Rows: {_rows(f.rows)}</p>")
    ids = {name: v for name, v in f.evidence.items() if isinstance(v, str) and _ID.fullmatch(v)}
    parts.append(_evidence((name, v) for name, v in f.evidence.items() if name not in ids))
    waiver = ""
    if waivers_in is not None and told.bin == "failing":
        waiver = _waiver(f.rule, f.fingerprint, *waivers_in)
    inside = f"{_evidence(ids.items())}{paste(_explain(told)) if alone else ''}{waiver}"
    if inside:
        words = ("Explain" if alone else "", "accept" if waiver else "")
        title = ", or ".join(w for w in words if w).capitalize() or "Ids"
        parts.append(f"<details><summary>{title}</summary>{inside}</details>")
    return f'<article class="finding f-{_tone(told)}">{"".join(p for p in parts if p)}</article>'


def _tone(told: Told) -> str:
    return "dim" if told.bin in ("waived", "baselined") else told.finding.severity.value


def _badge(told: Told) -> str:
    severity = told.finding.severity.value
    sign = f'<span aria-hidden="true">{_SIGN[severity]}</span>'
    return f'<span class="badge b-{_tone(told)}">{sign} {severity}</span>'


def _state(told: Told) -> str:
    state = _BINS[told.bin]
    return f' <span class="state">{state}</span>' if state else ""


def _explain(told: Told) -> str:
    return f"cr-audit explain {told.finding.rule}"


def _rows(rows: Sequence[str]) -> str:
    """a.jsonl:3, 7, b.jsonl:1 and 12 more: a file is named where it changes."""
    shown, last = [], ""
    for row in rows[:MAX_ROWS]:
        file, colon, line = row.rpartition(":")
        short = bool(colon) and file == last and line.isdecimal()
        shown.append(f"<code>{text(line if short else row, 200)}</code>")
        last = file
    left = len(rows) - MAX_ROWS
    return f"{', '.join(shown)}{f' and {left:,} more' if left > 0 else ''}"


def _evidence(items: Iterable[tuple[str, object]]) -> str:
    """Numbers and short texts, side by side."""
    pairs = "".join(
        f"<div><dt>{text(str(name).replace('_', ' '), 60)}</dt><dd>{_value(value)}</dd></div>"
        for name, value in items
    )
    return f'<dl class="evidence">{pairs}</dl>' if pairs else ""


def _value(value: object) -> str:
    if isinstance(value, float):
        return text(f"{value:.4g}")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "—" if value is None else text(str(value), 120)


def _waiver(rule: str, fingerprint: str, table: str, file: str) -> str:
    """A table of TOML that accepts this finding; who, why and how long is left to the reader."""
    lines = (
        f"[[{table}]]",
        f'rule = "{rule}"',
        f'fingerprint = "{fingerprint}"',
        'reason = "why this is right"',
        'owner = "who decided it"',
        "expires = YYYY-MM-DD",
    )
    where = f"Into {file}, with a reason, an owner and the last day:"
    return f'<p class="note">{text(where)}</p>{paste(*lines)}'
