"""Kinds of prompt for people: words, shares of prompts and rows, copies, who wins, an example."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis.facts import NamedKinds
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Cell, Column, Later, Prose, Section, Table
from cr_audit.families.prompts.facts import Judged, PromptFacts
from cr_audit.heads import graph_in_words, short
from cr_audit.models.kinds.find import FEWEST
from cr_audit.models.kinds.within import Within
from cr_audit.wording import drawn_of, percent, plural

TITLE = "Kinds of prompt"
MAX_BRIEF = 8
CROWDED = 0.5
"""Of the rows, above which one kind of prompt is most of what there is to learn from."""
SURE = 0.8
"""Agreement of halves from which a sentence is said about kinds."""
ENOUGH = 20  # comparisons, below which a rate is not worth a sentence
MAX_SAID = 2
_WHO = {"longer": "the longer answer", "first": "the answer shown first"}


def brief(facts: PromptFacts) -> list[Block]:
    """The largest kinds, when somebody looks; nothing where prompts are too few or not known."""
    prompts = facts.analysis.dataset.prompts
    without = isinstance(facts.analysis.embedding, NotApplicable)
    if without or prompts.height - prompts["text"].null_count() < FEWEST:
        return []
    return [Section(TITLE, blocks=Later(lambda: _inside(facts, MAX_BRIEF)), folded=True)]


def section(facts: PromptFacts, *, limit: int) -> list[Block]:
    """All kinds, and how they were found."""
    return [Section(TITLE, "", tuple(_inside(facts, limit)))]


def said(facts: PromptFacts) -> list[str]:
    """Whether one kind holds most rows, and in which kinds length or place decides as it does not
    elsewhere."""
    kinds = facts.kinds
    if isinstance(kinds, NotApplicable) or not kinds.n:
        return []
    agreement = kinds.found.agreement
    if isinstance(agreement, NotApplicable) or agreement < SURE:
        return []
    out = []
    crowd = int(np.argmax(facts.judged_share))
    if facts.judged_share[crowd] > CROWDED:
        out.append(
            f"One kind of prompt, {_quoted(kinds, crowd)}, holds"
            f" {percent(float(facts.judged_share[crowd]))} of the {facts.judged}s and"
            f" {percent(float(facts.prompt_share[crowd]))} of the prompts: what is learned is"
            " mostly about it."
        )
    j = facts.judgements
    if not isinstance(j, NotApplicable):
        level = facts.analysis.settings.confidence_level
        out += _differs(kinds, j.longer, _WHO["longer"], level)
        out += _differs(kinds, j.first, _WHO["first"], level)
    return out


def _differs(kinds: NamedKinds, r: Within | NotApplicable, who: str, level: float) -> list[str]:
    if isinstance(r, NotApplicable):
        return []
    some = (r.q_value <= 1 - level) & (r.n >= ENOUGH)
    apart = np.where(some, np.abs(np.nan_to_num(r.rate - r.elsewhere)), -1.0)
    order = np.lexsort((np.arange(kinds.n), -np.round(apart, 12)))
    parts = [
        f"{percent(float(r.rate[g]))} in {_quoted(kinds, g)}"
        f" ({percent(float(r.elsewhere[g]))} elsewhere)"
        for g in order.tolist()[:MAX_SAID]
        if some[g]
    ]
    return [f"By kind of prompt, {who} wins {', '.join(parts)}."] if parts else []


def _quoted(kinds: NamedKinds, g: int) -> str:
    words = kinds.words[g]
    return f"“{short(', '.join(words[:3]) if words else kinds.names[g], 40)}”"


def _inside(facts: PromptFacts, limit: int) -> list[Block]:
    kinds = facts.kinds
    if isinstance(kinds, NotApplicable):
        return [Prose((f"not computed: {kinds.reason}",), "dim", indent=2)]
    blocks: list[Block] = [Prose(tuple(_lines(facts, kinds)), "dim", indent=2)]
    if kinds.n:
        blocks.append(_table(facts, kinds, limit))
    return blocks


def _lines(facts: PromptFacts, kinds: NamedKinds) -> list[str]:
    f = kinds.found
    how = f"{drawn_of(f.n_seen, f.n_distinct, 'different prompt')}, {graph_in_words(f.graph)}"
    tried = f"{plural(f.n_candidates, 'group')} tried, {f.n_unstable:,} of them do not come back"
    if not kinds.n:
        return ["none that comes back in halves of the prompts", f"{how}; {tried}"]
    head = (
        f"{plural(kinds.n, 'kind')}, {percent(float(facts.prompt_share.sum()))} of the prompts and"
        f" {percent(float(facts.judged_share.sum()))} of the {facts.judged}s"
    )
    if not isinstance(f.agreement, NotApplicable):
        head += f"; halves of the prompts agree to {f.agreement:.2f} (adjusted Rand index)"
    return [head, f"{how}; {tried}"]


def _table(facts: PromptFacts, kinds: NamedKinds, limit: int) -> Table:
    data = facts.analysis.dataset
    texts, ids = data.prompts["text"], data.prompts["id"]
    copies, judged = facts.copy_share, facts.judgements
    level = facts.analysis.settings.confidence_level
    of_models = isinstance(judged, Judged) and any(
        not isinstance(x, NotApplicable) for x in judged.leaders
    )
    columns = [
        Column("its words", "line", ("prompt_kind", "words"), share=3),
        Column("prompts", "count", ("n_prompts", "prompt_share")),
        Column(f"{facts.judged}s", "number", ("judged_share", "n_judged")),
    ]
    if not isinstance(copies, NotApplicable):
        columns.append(Column("copies", "number", ("copy_share",)))
    shown: list[tuple[str, Within]] = []
    if isinstance(judged, Judged):
        for name, r in (("longer", judged.longer), ("first", judged.first)):
            if isinstance(r, Within):
                shown.append((name, r))
                fields = tuple(f"{name}_{x}" for x in ("wins", "low", "high", "elsewhere", "q"))
                columns.append(Column(f"{name} wins", "number", fields))
        if judged.n_repeated.any():
            columns.append(Column("agree", "number", ("agreement", "n_repeated")))
        if of_models:
            columns.append(Column("leads", "line", ("model", "win_rate"), share=2))
    columns += [
        Column("stable", "number", ("stability", "tightness"), wide=True),
        Column("a typical prompt", "line", ("typical",), share=4),
    ]

    def cells(g: int) -> tuple[Cell, ...]:
        kind = kinds.found.kinds[g]
        words = ", ".join(kinds.words[g]) or "(no words of its own)"
        share = float(facts.judged_share[g])
        out = [
            Cell(words, (kinds.ids[g], words)),
            Cell(f"{kind.members.size:,}", (kind.members.size, float(facts.prompt_share[g]))),
            Cell(percent(share), (share, int(facts.n_judged[g]))),
        ]
        if not isinstance(copies, NotApplicable):
            out.append(Cell(percent(float(copies[g])), (float(copies[g]),)))
        out += [_rate(r, g, level) for _, r in shown]
        if isinstance(judged, Judged):
            if judged.n_repeated.any():
                out.append(_agreement(judged, g))
            if of_models:
                out.append(_leader(judged, g))
        typical = texts[kind.medoid] or ids[kind.medoid]
        out += [Cell(f"{kind.stability:.2f}", (kind.stability, kind.tightness)), Cell(typical)]
        return tuple(out)

    return Table(
        tuple(columns),
        kinds.n,
        cells,
        name="prompt_kinds",
        limit=limit,
        more="more kinds of prompt",
        order="the largest first",
        legend=_legend(facts, shown, of_models),
    )


def _rate(r: Within, g: int, level: float) -> Cell:
    if not r.n[g]:
        return Cell("—", (None, None, None, None, 1.0))
    values = tuple(
        None if np.isnan(x) else float(x)
        for x in (r.rate[g], r.low[g], r.high[g], r.elsewhere[g], r.q_value[g])
    )
    text = f"{percent(float(r.rate[g]))} [{100 * r.low[g]:.0f}–{100 * r.high[g]:.0f}]"
    if r.q_value[g] <= 1 - level:
        return Cell(f"{text} *", values, "warning")
    return Cell(text, values)


def _agreement(j: Judged, g: int) -> Cell:
    n = int(j.n_repeated[g])
    if not n:
        return Cell("—", (None, 0))
    return Cell(percent(float(j.agreement[g])), (float(j.agreement[g]), n))


def _leader(j: Judged, g: int) -> Cell:
    best = j.leaders[g]
    if isinstance(best, NotApplicable):
        return Cell("—", (None, None))
    return Cell(f"{j.models[best.item]} {percent(best.rate)}", (j.models[best.item], best.rate))


def _legend(facts: PromptFacts, shown: list[tuple[str, Within]], of_models: bool) -> str:
    judged, copies = facts.judgements, facts.copy_share
    parts = []
    if not isinstance(copies, NotApplicable):
        parts.append("copies = share of the kind's prompts that are copies of another one")
    if shown:
        names = " and ".join(_WHO[name] for name, _ in shown)
        level = percent(facts.analysis.settings.confidence_level)
        parts.append(
            f"wins = share of the comparisons that {names} won, with its {level} interval by"
            " prompts; * = not as in all other prompts, beyond chance"
        )
    if isinstance(judged, Judged) and judged.n_repeated.any():
        parts.append("agree = how often two judgements of one pair of answers are the same")
    if of_models:
        parts.append("leads = the model that wins most, and its win rate")
    return "; ".join(parts)
