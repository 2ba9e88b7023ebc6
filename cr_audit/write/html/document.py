"""The page: what a reader sees first, the contents, and every section as a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cr_audit import __version__
from cr_audit.blocks import (
    Answer,
    Block,
    Header,
    Map,
    Number,
    Numbers,
    Prose,
    Section,
    Steps,
    Table,
    Tone,
    Verdict,
    tables_of,
)
from cr_audit.findings import SEVERITIES, Outcome, Told
from cr_audit.wording import plural, verb
from cr_audit.write.html.findings import findings_card
from cr_audit.write.html.parts import Page
from cr_audit.write.html.policy import policy, script, style
from cr_audit.write.html.text import commented, text

MAX_ADVICE, N_NUMBERS = 3, 3
MAP_FIRST = ("scan", "clones", "weights", "kinds")
"""Commands whose answer the map shows; the others begin with what they were asked for."""
FINDINGS_FIRST = ("gate",)
"""Commands that are asked for findings; the others show what they were asked for before them."""
NEXT = "Next"
"""The section of what to do, where a report has it for a page alone."""
_SETTLED = ("waived", "baselined")
_WORD: dict[Tone, tuple[str, str]] = {
    "good": ("✓", "nothing to warn about"),
    "note": ("i", "notes only"),
    "warning": ("!", "warning"),
    "error": ("✕", "error"),
    "bad": ("✕", "error"),
}


def document(blocks: Sequence[Block], more: Sequence[Block], outcome: Outcome, title: str) -> str:
    """One HTML document with a final newline. more : shown after the blocks, but its numbers, and
    without tables that stand there already."""
    page = Page()
    header = next((b for b in blocks if isinstance(b, Header)), None)
    first = _first_screen(page, blocks, more, outcome)
    cards = [(name, page.card(name, inside)) for name, inside in _sections(blocks, more)]
    found = findings_card(page, outcome)
    if found:
        asked_first = header is None or header.command not in FINDINGS_FIRST
        cards.insert(1 if cards and asked_first else 0, ("Findings", found))
    listed = "".join(
        f'<li><a href="#{page.anchor(name)}">{text(name)}</a></li>' for name, _ in cards
    )
    contents = (
        f'<nav aria-label="Contents"><h2>Contents</h2><ol>{listed}</ol></nav>' if cards else ""
    )
    body = "\n".join(card for _, card in cards)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(_title(header, title), 120)}</title>\n<style>{style()}</style>\n</head>\n"
        '<body>\n<a class="skip" href="#report">Skip to the report</a>\n'
        f"{_head(header, title)}\n{contents}\n"
        f'<main id="report">\n{first}\n{body}\n</main>\n'
        f"<footer>cr-audit {__version__}</footer>\n<script>{script()}</script>\n</body>\n</html>\n"
    )


def _title(header: Header | None, title: str) -> str:
    if header is None or not header.files:
        return title
    return f"cr-audit {header.command}: {', '.join(header.files)}"


def _head(header: Header | None, title: str) -> str:
    if header is None:
        return f'<header class="top"><h1>{text(title)}</h1></header>'
    files = ", ".join(f'<span class="file">{text(f, 200)}</span>' for f in header.files[:20])
    more = f" and {len(header.files) - 20:,} more" if len(header.files) > 20 else ""
    against = ", ".join(f'<span class="file">{text(f, 200)}</span>' for f in header.against[:20])
    line = f"{files}{more}{' into ' + against if against else ''}"
    note = f'<p class="note">{text(header.note)}</p>' if header.note else ""
    name = f'<span class="brand">cr-audit</span> {text(header.command)}'
    return f'<header class="top"><h1>{name} {line}</h1>{note}</header>'


# --- the first screen ---


def _first_screen(
    page: Page, blocks: Sequence[Block], more: Sequence[Block], outcome: Outcome
) -> str:
    """Verdict or answer, three numbers, what to do, and the sentence on what was looked at."""
    said = "".join(_said(b, outcome) for b in blocks if isinstance(b, Verdict | Answer))
    numbers = next((b for b in more if isinstance(b, Numbers) and b.numbers), None)
    if numbers is None:
        numbers = _counts(outcome)
    elif len(numbers.numbers) < N_NUMBERS:
        numbers = replace(numbers, numbers=(*numbers.numbers, *_found(outcome)))
    again = [b for b in blocks if isinstance(b, Prose) and b.again and said]
    loose = [b for b in blocks if isinstance(b, Prose | Steps | Numbers) and b not in again]
    parts = [said, page.block(numbers, 2) if numbers else "", *(page.block(b, 2) for b in loose)]
    beyond = [b for b in more if isinstance(b, Section) and b.title == NEXT]
    parts.append(_what_to_do(page, (*blocks, *beyond), outcome))
    inside = "\n".join(p for p in parts if p)
    if not inside:
        return ""
    return (
        f'<section class="first" aria-labelledby="summary">'
        f'<h2 id="summary" class="hidden">Summary</h2>{inside}</section>'
    )


def _said(block: Verdict | Answer, outcome: Outcome) -> str:
    """The verdict, or the answer under the worst of what it and the findings say."""
    if isinstance(block, Verdict):
        tone, sign, word = ("good", "✓", "PASS") if block.passed else ("error", "✕", "FAIL")
        reason = f'<p class="lead">{text(block.reason)}</p>'
        inside = f'{reason}<p class="note">{text(block.note)}</p>'
    else:
        tone = _worst(block.tone, outcome)
        sign, word = _WORD.get(tone, ("i", "report"))
        word = _how_many(outcome) or word
        lead, *rest = block.sentences or ("",)
        inside = f'<p class="lead">{text(lead)}</p>' + "".join(f"<p>{text(s)}</p>" for s in rest)
    badge = f'<p class="badge b-{tone}"><span aria-hidden="true">{sign}</span> {word}</p>'
    return f'<div class="answer a-{tone}">{badge}{inside}</div>'


def _worst(tone: Tone, outcome: Outcome) -> Tone:
    """An answer about one family stands on a page that shows the findings of all."""
    told = [t.finding.severity.value for t in outcome.told if t.bin not in _SETTLED]
    order: tuple[Tone, ...] = ("error", "warning")
    return next((s for s in order if s == tone or s in told), tone)


def _how_many(outcome: Outcome) -> str:
    """ "1 error, 4 warnings": what was found; a bare "error" reads as if the program had failed."""
    told = [t.finding.severity for t in outcome.told if t.bin not in _SETTLED]
    counts = [(sum(s == t for t in told), s.value) for s in reversed(SEVERITIES)]
    worse = [(n, name) for n, name in counts if n and name != "note"]
    return ", ".join(plural(n, name) for n, name in worse)


def _found(outcome: Outcome) -> tuple[Number, ...]:
    """How many findings there are, as one number; none where nothing looked."""
    if not outcome.rules:
        return ()
    n = sum(t.bin not in _SETTLED for t in outcome.told)
    note = _how_many(outcome) or ("notes only" if n else "")
    tone: Tone = "warning" if _how_many(outcome) else "plain"
    label = f"{verb(n, 'finding', 'findings')}, {plural(len(outcome.rules), 'rule')} judged"
    return (Number(f"{n:,}", label, note, tone),)


def _counts(outcome: Outcome) -> Numbers | None:
    """How many findings there are, where a report has no numbers of its own."""
    if not outcome.rules:
        return None
    counts = []
    tones: dict[str, Tone] = {"error": "error", "warning": "warning", "note": "note"}
    for severity in reversed(SEVERITIES):
        n = sum(t.finding.severity == severity for t in outcome.told)
        tone: Tone = tones[severity.value] if n else "good"
        counts.append(Number(f"{n:,}", f"{severity.value}{'s' if n != 1 else ''}", "", tone))
    return Numbers(tuple(counts))


def _what_to_do(page: Page, blocks: Sequence[Block], outcome: Outcome) -> str:
    """The report's own next steps; before them what the worst findings advise, if they do not."""
    following = next((b for b in blocks if isinstance(b, Section) and _is_next(b)), None)
    own = following.blocks if following else ()
    parts = [page.block(b, 3) for b in own]
    if not any(isinstance(b, Prose) for b in own):
        advice = _advice(outcome)
        if advice:
            listed = "".join(
                f"<li>{commented(a)} <code>{text(rule)}</code></li>" for rule, a in advice
            )
            parts.insert(0, f'<ul class="advice">{listed}</ul>')
        elif outcome.rules and not outcome.told:
            n = len(outcome.rules)
            parts.insert(0, f"<p>Nothing needs doing: none of {n:,} rules found anything.</p>")
    if not parts:
        return ""
    return f'<div class="do"><h3>What to do</h3>{"".join(parts)}</div>'


def _advice(outcome: Outcome) -> list[tuple[str, str]]:
    """(rule, advice) of the worst findings, one for each rule; notes where there is no worse."""
    out: dict[str, str] = {}
    told: list[Told] = [t for t in outcome.told if t.bin not in _SETTLED]
    for t in told:
        if t.finding.advice and t.finding.rule not in out:
            out[t.finding.rule] = t.finding.advice
    return list(out.items())[:MAX_ADVICE]


def _is_next(section: Section) -> bool:
    return any(isinstance(b, Steps) for b in section.blocks) and not tables_of(section.blocks)


# --- sections ---


def _sections(blocks: Sequence[Block], more: Sequence[Block]) -> list[tuple[str, Section]]:
    """(title, section): the report's own, then what is shown beyond it; the map before or after."""
    own: list[Section] = []
    following_seen = False
    for block in blocks:
        match block:
            case Section() if _is_next(block) and not following_seen:
                following_seen = True
            case Section() if _is_findings(block):
                pass
            case Section():
                own.append(block)
            case Header() | Answer() | Verdict() | Prose() | Steps() | Numbers():
                pass
            case _:
                own.append(Section(getattr(block, "title", "") or "Report", "", (block,)))
    here = {t.name for t in tables_of(own)}
    beyond = [
        b for b in more if isinstance(b, Section) and b.title != NEXT and not _stands_there(b, here)
    ]
    maps = [s for s in beyond if any(isinstance(b, Map) for b in s.blocks)]
    rest = [s for s in beyond if not any(isinstance(b, Map) for b in s.blocks)]
    out: list[tuple[str, Section]] = []
    command = next((b.command for b in blocks if isinstance(b, Header)), "")
    ordered = (*maps, *own, *rest) if command in MAP_FIRST else (*own, *rest, *maps)
    for section in ordered:
        title, n = section.title, 1
        while any(name == title for name, _ in out):
            n += 1
            title = f"{section.title} ({n})"
        out.append((title, replace(section, folded=False)))
    return out


def _is_findings(section: Section) -> bool:
    tables = tables_of(section.blocks)
    return section.title == "Findings" and (not tables or tables[0].name == "findings")


def _stands_there(section: Section, names: set[str]) -> bool:
    tables: list[Table] = tables_of(section.blocks)
    return bool(tables) and all(t.name in names for t in tables)
