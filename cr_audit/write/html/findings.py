"""Findings as cards: what was found, where, the evidence, what to do, and how to accept it."""

from __future__ import annotations

from collections.abc import Iterable

from cr_audit.findings import Outcome, Rule, Told
from cr_audit.write.html.parts import Page, paste
from cr_audit.write.html.text import TEXT, commented, text

MAX_FINDINGS, MAX_ROWS = 200, 5
FEW = 3
"""Findings of one rule that are shown at once."""
_BINS = {"failing": "fails", "baselined": "known", "waived": "waived", "below_threshold": ""}
_SIGN = {"error": "✕", "warning": "!", "note": "i"}


def findings_card(page: Page, outcome: Outcome) -> str:
    """All of them, the most severe first; "" where nothing was looked for."""
    if not outcome.rules:
        return ""
    told, rules = outcome.told, {r.id: r for r in outcome.rules}
    made: dict[tuple[str, str, str], list[str]] = {}
    n_made = 0
    for t in told[:MAX_FINDINGS]:
        card = _finding(page, t, rules.get(t.finding.rule), outcome.waivers_in)
        if not page.fits(card):
            break
        n_made += 1
        made.setdefault((t.finding.rule, t.finding.severity.value, t.bin), []).append(card)
    note = f"{len(told):,} from {len(rules):,} rules" if told else f"none; {len(rules):,} rules"
    left = len(told) - n_made
    more = (
        f'<p class="note">{n_made:,} of {len(told):,} shown; the JSON report has them all.</p>'
        if left
        else ""
    )
    rest = "".join(f"<li>{text(line)}</li>" for line in outcome.not_judged)
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
            "\n".join(_alike(rule, cards) for (rule, *_), cards in made.items()),
            more,
            not_judged,
            rules_list,
        ],
    )


def _alike(rule: str, cards: list[str]) -> str:
    """Findings of one rule: the first few, and the others to be unfolded, so that a rule that
    found much does not hide what the next one found."""
    if len(cards) <= FEW + 1:
        return "\n".join(cards)
    rest = "\n".join(cards[FEW:])
    head = f"{len(cards) - FEW:,} more of <code>{text(rule)}</code>"
    shown = "\n".join(cards[:FEW])
    return f'{shown}\n<details class="more"><summary>{head}</summary>{rest}</details>'


def _finding(page: Page, told: Told, rule: Rule | None, waivers_in: tuple[str, str] | None) -> str:
    f = told.finding
    tone = f.severity.value
    if told.bin in ("waived", "baselined"):
        tone = "dim"
    state = _BINS[told.bin]
    badge = f'<span class="badge b-{tone}"><span aria-hidden="true">{_SIGN[f.severity.value]}'
    badge += f"</span> {f.severity.value}</span>"
    status = f' <span class="state">{state}</span>' if state else ""
    head = f"<h3>{badge} <code>{text(f.rule)}</code>{status} {text(f.message, TEXT)}</h3>"
    parts = [head]
    if rule is not None:
        parts.append(f'<p class="note">{text(rule.summary)}</p>')
    if told.waived_by:
        parts.append(f"<p>Waived: {text(told.waived_by, TEXT)}</p>")
    if f.advice:
        parts.append(f"<p>{commented(f.advice)}</p>")
    if f.rows:
        shown = ", ".join(f"<code>{text(row, 200)}</code>" for row in f.rows[:MAX_ROWS])
        left = len(f.rows) - MAX_ROWS
        parts.append(f"<p>Rows: {shown}{f' and {left:,} more' if left > 0 else ''}</p>")
    parts.append(_evidence(f.evidence.items()))
    command = paste(f"cr-audit explain {f.rule}")
    waiver = ""
    if waivers_in is not None and told.bin == "failing":
        waiver = _waiver(f.rule, f.fingerprint, *waivers_in)
    summary = "Explain, or accept" if waiver else "Explain"
    parts.append(f"<details><summary>{summary}</summary>{command}{waiver}</details>")
    return f'<article class="finding f-{tone}">{"".join(p for p in parts if p)}</article>'


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
    if isinstance(value, int) and not isinstance(value, bool):
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
