"""Kinds of answer for people: words, shares, how they fare, and a typical answer."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis.facts import NamedKinds
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Cell, Column, Prose, Section, Table
from cr_audit.families.kinds.facts import KindFacts
from cr_audit.heads import graph_in_words, short
from cr_audit.wording import percent, plural

MAX_BRIEF = 8
MAX_SAID = 2
ENOUGH = 20  # comparisons, below which a rate is not worth a sentence


def answer(facts: KindFacts) -> list[str]:
    """Which kinds win and lose beyond chance, in a sentence."""
    kinds, r = facts.kinds, facts.rates
    if isinstance(kinds, NotApplicable):
        return []
    if not kinds.n:
        return ["The answers fall into no kinds that come back in halves of the data."]
    decided = r.decided(facts.level) & (r.n >= ENOUGH)
    share = percent(float(facts.item_share.sum()))
    verb = "holds" if kinds.n == 1 else "hold"
    out = f"{plural(kinds.n, 'kind')} of answer {verb} {share} of the responses"
    best = [g for g in np.argsort(-np.nan_to_num(r.low, nan=0.0), kind="stable") if decided[g]]
    said = [_fares(facts, kinds, int(g)) for g in best if r.rate[g] > 0.5]
    worst = [g for g in np.argsort(np.nan_to_num(r.high, nan=1.0), kind="stable") if decided[g]]
    lost = [_fares(facts, kinds, int(g)) for g in worst if r.rate[g] < 0.5]
    told = said[:MAX_SAID] + lost[:MAX_SAID]
    if not told:
        none = "it neither" if kinds.n == 1 else "none"
        or_ = "nor" if kinds.n == 1 else "or"
        tail = f", and {none} wins {or_} loses against the others beyond chance"
        tail = tail if r.n.sum() else ""
        return [out + tail + "."]
    return [f"{out}; in comparisons with others {', '.join(told)}."]


def _fares(facts: KindFacts, kinds: NamedKinds, g: int) -> str:
    return f"{_named(kinds, g)} wins {percent(facts.rates.rate[g])} of {facts.rates.n[g]:,}"


def _named(kinds: NamedKinds, g: int) -> str:
    """A kind by its first words."""
    words = kinds.words[g]
    return f"“{short(', '.join(words[:3]) if words else kinds.names[g], 40)}”"


def brief(facts: KindFacts) -> list[Block]:
    """The largest kinds in short."""
    kinds = facts.kinds
    if isinstance(kinds, NotApplicable):
        return []
    note = _note(facts, kinds)
    if not kinds.n:
        return [Section("Kinds of answer", note)]
    return [Section("Kinds of answer", note, (_table(facts, kinds, limit=MAX_BRIEF),), folded=True)]


def section(facts: KindFacts, *, limit: int) -> list[Block]:
    """All kinds, and how they were found."""
    kinds = facts.kinds
    if isinstance(kinds, NotApplicable):
        return [Section("Kinds of answer", f"not computed: {kinds.reason}")]
    f = kinds.found
    lines = [
        f"looked for among {plural(f.n_seen, 'different response')}"
        + (f" drawn from {f.n_distinct:,}; the others join by their neighbours"
           if f.n_seen < f.n_distinct else ""),
        f"{plural(f.n_candidates, 'group')} tried; {f.n_unstable:,} of them do not come back in"
        " halves of the data, or no better than in a cloud without kinds",
        f"{graph_in_words(f.graph)}",
    ]  # fmt: skip
    blocks: list[Block] = []
    if kinds.n:
        blocks.append(_table(facts, kinds, limit=limit, main=True))
    blocks.append(Prose(tuple(lines), "dim"))
    return [Section("Kinds of answer", _note(facts, kinds), tuple(blocks))]


def _note(facts: KindFacts, kinds: NamedKinds) -> str:
    if not kinds.n:
        return "none that comes back in halves of the data"
    agreement = kinds.found.agreement
    text = f"{plural(kinds.n, 'kind')}, {percent(float(facts.item_share.sum()))} of the responses"
    if not isinstance(agreement, NotApplicable):
        text += f"; halves of the data agree to {agreement:.2f} (adjusted Rand index)"
    return text


def _table(facts: KindFacts, kinds: NamedKinds, *, limit: int, main: bool = False) -> Table:
    r, mass = facts.rates, facts.weight_share
    decided, moved = r.decided(facts.level), r.moved(facts.level)
    data = facts.analysis.dataset
    texts, ids = data.alternatives["text"], data.alternatives["id"]
    compared = bool(r.n.sum())
    weighed = not isinstance(mass, NotApplicable)
    # What wins and loses beyond chance first, then the largest.
    sure = np.where(decided & (r.n >= ENOUGH), np.abs(np.nan_to_num(r.rate, nan=0.5) - 0.5), -1.0)
    order = np.lexsort((np.arange(kinds.n), -np.round(sure, 12)))

    def cells(k: int) -> tuple[Cell, ...]:
        g = int(order[k])
        kind = kinds.found.kinds[g]
        words = ", ".join(kinds.words[g]) or "(no words of its own)"
        share = float(facts.item_share[g])
        out = [
            Cell(words, (kinds.ids[g], words)),
            Cell(f"{kind.members.size:,}", (kind.members.size, share)),
        ]
        if weighed:
            w = float(mass[g]) if not isinstance(mass, NotApplicable) else 0.0
            out.append(Cell(percent(w), (w,)))
        if compared:
            out += _rate_cells(facts, g, bool(decided[g]), bool(moved[g]))
        typical = texts[kind.medoid] or ids[kind.medoid]
        out += [Cell(f"{kind.stability:.2f}", (kind.stability, kind.tightness)), Cell(typical)]
        return tuple(out)

    columns = [
        Column("its words", "line", ("kind", "words"), share=3),
        Column("size", "count", ("n_responses", "item_share")),
    ]
    if weighed:
        columns.append(Column("weight", "number", ("weight_share",)))
    if compared:
        columns += [
            Column("wins", "number", ("win_rate", "low", "high", "q_value")),
            Column("of", "count", ("n_comparisons",)),
            Column("weighted", "number", ("weighted", "shift", "standard_error"), wide=True),
        ]
    columns += [
        Column("stable", "number", ("stability", "tightness")),
        Column("a typical answer", "line", ("typical",), share=4),
    ]
    return Table(
        tuple(columns),
        kinds.n,
        cells,
        name="kinds",
        limit=limit,
        more="more kinds",
        order="what wins or loses beyond chance, then the largest",
        legend=_legend(facts, compared),
        main=main,
    )


def _rate_cells(facts: KindFacts, g: int, decided: bool, moved: bool) -> list[Cell]:
    r = facts.rates

    def known(x: float) -> float | None:
        return None if np.isnan(x) else float(x)

    values = (known(r.rate[g]), known(r.low[g]), known(r.high[g]), float(r.q_value[g]))
    if np.isnan(r.rate[g]):
        rate = Cell("—", values)
    else:
        text = f"{percent(r.rate[g])} [{100 * r.low[g]:.0f}–{100 * r.high[g]:.0f}]"
        tone = "good" if r.rate[g] > 0.5 else "bad"
        rate = Cell(text, values, tone) if decided else Cell(text, values)  # type: ignore[arg-type]
    weighted = known(r.weighted[g])
    shown = "—" if weighted is None else percent(weighted) + (" *" if moved else "")
    return [
        rate,
        Cell(f"{r.n[g]:,}", (int(r.n[g]),)),
        Cell(shown, (weighted, known(r.shift[g]), known(r.error[g]))),
    ]


def _legend(facts: KindFacts, compared: bool) -> str:
    text = (
        "stable = how well the kind comes back in halves of the data (Jaccard similarity, 1 = the"
        " same)"
    )
    if compared:
        text = (
            f"wins = share of comparisons with answers of other kinds or of none, with its"
            f" {percent(facts.level)} interval by {facts.resampled}; coloured: not one half beyond"
            f" chance; weighted * = the weights move it beyond noise; {text}"
        )
    return text
