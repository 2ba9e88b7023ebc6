"""Rewards for people: the answer, both rankings, where changes come from, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cr_audit.analysis.penalties import Paths
from cr_audit.analysis.reward_facts import MOVED, HeldOut, RewardFit, Rewards, Share, Subjects
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import (
    Answer,
    Block,
    Cell,
    Chart,
    Column,
    Picture,
    Prose,
    Section,
    Series,
    Slope,
    SlopeChart,
    Stretch,
    Table,
    Tone,
)
from cr_audit.families.rewards.facts import RewardFacts
from cr_audit.families.rewards.rules import RULES, compared, new_leaders
from cr_audit.findings import Finding
from cr_audit.heads import named, short
from cr_audit.models.penalty import PenaltyChoice, PenaltyPath
from cr_audit.models.rewards.changes import Changes
from cr_audit.wording import SURE_OF_SIDES, percent, plural, verb

MAX_ITEMS = 15
MAX_CAUSES = 6
MAX_EFFECTS = 3
MAX_LEADERS, MAX_TURNS, MAX_ON_PATH, ON_PATH_NAME = 3, 4, 5, 24
LIKELY = 0.5
"""Chance of the first place below which whoever is first is not said to lead."""
ONE_STEP = 3.2
"""The next penalty of the grid of two per decade."""
SOME = 5
"""Rows of a table of pairs, which say nothing beyond their votes."""
FEW_RANKINGS, STRONGEST = 3, 3
"""Separate rankings up to which their items stand in one table as a single ranking's do; of more
the strongest changes are shown."""
MAX_SLOPES, SLOPE_NAME = 16, 38
MAX_DRAWN, DRAWN_NAME = 60, 34
"""Lines of the slope chart in a report, and in a picture of its own; characters of their names."""


def answer_block(facts: RewardFacts, findings: Sequence[Finding]) -> Answer:
    """The answer, in the tone of the worst finding about rewards."""
    own = {rule.id for rule in RULES}
    worst = next((f.severity for f in findings if f.rule in own), None)
    tone: Tone = "good" if worst is None else worst.value
    return Answer(tuple(answer(facts)), tone)


def sections(facts: RewardFacts) -> list[Block]:
    """Everything about the rewards, from the ranking to the penalty."""
    r = facts.rewards
    return [
        ranking(r),
        *_chart(r),
        *_causes(r),
        *_decisions(r),
        _how_sure(r),
        *_penalty(r),
    ]


# --- the answer ---


def answer(facts: RewardFacts) -> list[str]:
    """Who leads in either fit, how many change sides and why, and how well both predict."""
    r = facts.rewards
    out = []
    if isinstance(r.weighted, NotApplicable):
        out.append(f"Only the standard fit was made: {r.weighted.reason}.")
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        out.append(f"There is no ranking to compare: {_no_ranking(r)}.")
    else:
        out += _leaders(r, c, s)
        if not isinstance(r.weighted, NotApplicable):
            out += _flagged(r, c, s)
    if not isinstance(r.held_out, NotApplicable):
        out.append(_agreement(r.held_out))
    bad = [name for name, fit in fits_of(r) if not fit.converged]
    if bad:
        out.append(f"The {' and the '.join(bad)} fit did not converge: see How sure (--details).")
    return out


def said(facts: RewardFacts) -> str:
    """Who leads in one sentence, or why nobody does."""
    r = facts.rewards
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        return f"there is no ranking: {_no_ranking(r)}."
    return _leaders(r, c, s)[0]


def _no_ranking(r: Rewards) -> str:
    return r.changes.reason if isinstance(r.changes, NotApplicable) else ""


def fits_of(r: Rewards) -> list[tuple[str, RewardFit]]:
    """(name, fit) of the fits that were made, the one asked for first."""
    pairs = [("standard", r.standard)]
    if not isinstance(r.weighted, NotApplicable):
        pairs.insert(0 if r.fits == "weighted" else 1, ("weighted", r.weighted))
    return pairs


def _leaders(r: Rewards, c: Changes, s: Subjects) -> list[str]:
    """Who leads, unless the data leave it open; one sentence on what the lead hangs on."""
    both = not isinstance(r.weighted, NotApplicable)
    if s.n_components > 1:
        several = f"{s.n_components:,} separate rankings"
        if not both:
            return [f"There are {several}; rewards of two of them cannot be compared."]
        n = np.unique(s.components[c.flagged]).size
        if n == 0:
            return [f"None of {several} changes beyond the noise."]
        led = np.unique(s.components[new_leaders(r, c)]).size
        leads = f"the leader in {led:,}" if led else "no leader"
        return [f"{n:,} of {several} {verb(n, 'changes', 'change')} beyond the noise, {leads}."]
    one = _lead(r, s, c, "standard")
    if not both:
        alone = one.whole if one.does else one.whole.replace("undecided", "Undecided", 1)
        return [f"{alone}.", *_depends(r, s, "standard")]
    two = _lead(r, s, c, "weighted")
    if one.who == two.who and one.single and two.single:
        return [
            f"Both fits put {one.who} first ({_sure(c, f'{one.sure:.2f} and {two.sure:.2f}')}).",
            *_depends(r, s, "weighted"),
        ]
    if one.single and two.single:
        noise = "" if bool(c.flagged[two.leader]) else "; that is within the noise"
        first = (
            f"The standard fit puts {one.who} first{one.how_sure}, the weighted fit"
            f" {two.who} ({two.sure:.2f}){noise}."
        )
        return [first, *_depends(r, s, "weighted")]
    return [
        f"Standard fit: {one.whole}. Weighted fit: {two.whole}.",
        *_depends(r, s, "weighted"),
    ]


@dataclass(frozen=True, slots=True)
class _Lead:
    """The first place in words. single : one leads, at every penalty that the data leave open;
    sure : its chance or its share of resamples, in words how_sure."""

    who: str
    does: str
    single: bool
    leader: int
    sure: float
    words: str

    @property
    def whole(self) -> str:
        return f"{self.who} {self.does}{self.how_sure}".strip()

    @property
    def how_sure(self) -> str:
        return f" ({self.words})" if self.single else ""


def _sure(c: Changes, number: str) -> str:
    """A chance, or a share, of the first place in words."""
    return f"chance {number}" if c.first_is_chance else f"{number} of resamples"


def _lead(r: Rewards, s: Subjects, c: Changes, fit: str) -> _Lead:
    one = fit == "standard"
    rank = c.rank_standard if one else c.rank_weighted
    first = c.probability_first_standard if one else c.probability_first_weighted
    tied = np.flatnonzero(rank == 1)
    leader = int(tied[0])
    if not r.decided(fit):
        who = f"undecided between {_list(s, r.leaders(fit))}"
        return _Lead(who, "", False, leader, float("nan"), "")
    if tied.size > 1:
        who = _list(s, tuple(tied.tolist()))
        return _Lead(who, "tie for the first place", False, leader, float("nan"), "")
    sure = float(first[leader])
    does = "leads" if sure >= LIKELY else "has the highest reward"
    return _Lead(_named(s, leader), does, True, leader, sure, _sure(c, f"{sure:.2f}"))


def _list(s: Subjects, items: tuple[int, ...]) -> str:
    """a and b; a, b and 10 others."""
    names = [_named(s, i) for i in items[:MAX_LEADERS]]
    more = len(items) - len(names)
    if more:
        return f"{', '.join(names)} and {plural(more, 'other')}"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _depends(r: Rewards, s: Subjects, fit: str) -> list[str]:
    """Under which penalties and weights the leader of a fit leads, and under which it does not."""
    if isinstance(r.paths, NotApplicable):
        return []
    path = r.paths.standard if fit == "standard" else r.paths.weighted
    if isinstance(path, NotApplicable):
        return []
    if not path.decided:
        return [
            f"Which of them leads hangs on the penalty: {_turns(path, s)}; the data cannot tell"
            " these penalties apart."
        ]
    leaders = path.leaders[0]
    holds = [f"penalties {r.paths.low:.2g} to {r.paths.high:.2g}"]
    fails = []
    for other in r.other_schemes if fit == "weighted" else ():
        if other.leaders == leaders:
            holds.append(f"{other.scheme} weights")
        else:
            fails.append(f"{other.scheme} weights ({_list(s, other.leaders)})")
    if (fit == "weighted" and not r.decided("standard")) or (
        fit == "weighted" and r.leaders("standard") != leaders
    ):
        fails.append(f"equal weights ({_list(s, r.leaders('standard'))})")
    does_not = f"; does not under: {', '.join(fails)}" if fails else ""
    return [f"The first place holds under: {', '.join(holds)}{does_not}."]


def _turns(path: PenaltyPath, s: Subjects) -> str:
    """A up to 0.001, B from 0.003 on."""
    turns = path.turns()[:MAX_TURNS]
    parts = [f"{_list(s, turns[0][1])} below {turns[1][0]:.2g}"]
    parts += [f"{_list(s, leaders)} from {penalty:.2g} on" for penalty, leaders in turns[1:]]
    return ", ".join(parts)


def _named(s: Subjects, item: int, width: int = 40) -> str:
    return named(s.names[item], s.unit, width)


def _flagged(r: Rewards, c: Changes, s: Subjects) -> list[str]:
    n = int(c.flagged.sum())
    if n == 0 and s.n_components > 1:
        return []  # said of the rankings
    if n == 0:
        return [f"No {s.unit} changes sides with another beyond its noise."]
    changes = verb(n, "changes", "change")
    out = [f"{n:,} of {plural(s.n, s.unit)} {changes} sides with another beyond the noise."]
    causes = [r.cause_of(int(i)) for i in np.flatnonzero(c.flagged)]
    groups = [cause.group for cause in causes if cause is not None]
    if not groups or isinstance(r.groups, NotApplicable):
        return out
    of_these = f"{'All' if len(groups) == n else f'{len(groups):,}'} of these"
    come = f"{of_these} {verb(len(groups), 'change comes', 'changes come')} from clones"
    if len(set(groups)) > 1:
        return [*out, f"{come} ({plural(len(set(groups)), 'cluster')})."]
    group = r.groups[groups[0]]
    members = f"{plural(group.members.size, r.fitted_unit)} that copy one another"
    return [
        *out,
        f"{come}: {members} ({percent(group.item_share)} of the {r.fitted_unit}s,"
        f" {percent(group.weight_mass)} of the weight).",
    ]


def _agreement(h: HeldOut) -> str:
    if h.n_decided == 0:
        return "No held-out comparison has a winner."
    if all(_coin(a) for a in (h.agreement_standard, h.agreement_weighted)):
        one, two = percent(h.agreement_standard.value), percent(h.agreement_weighted.value)
        each = one if one == two else f"{one} and {two}"
        return (
            f"On held-out comparisons neither fit can be told from a coin ({each} of the judgements"
            f" ± {percent(h.agreement_weighted.standard_error)})."
        )
    return (
        f"On held-out comparisons the fits name a different winner in {percent(h.differs.value)};"
        f" the standard fit agrees with {percent(h.agreement_standard.value)} of the judgements,"
        f" the weighted fit with {percent(h.agreement_weighted.value)}"
        f" (± {percent(h.agreement_weighted.standard_error)})."
    )


def _coin(agreement: Share) -> bool:
    """One half is within two standard errors."""
    return abs(agreement.value - 0.5) <= 2.0 * agreement.standard_error


# --- the ranking ---


def ranking(r: Rewards, *, limit: int = MAX_ITEMS) -> Section:
    """Rank and reward in both fits, the interval of the shift, how sure a change of sides is."""
    note = f"{r.reward_model}: {r.reward_choice.reason}"
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        return Section("Rewards", note, (Prose((f"no ranking: {_no_ranking(r)}",), "dim"),))
    both = not isinstance(r.weighted, NotApplicable)
    order = _shown_order(r, c, s)
    columns, cells = _columns(c, s) if both else _columns_of_one(c, s)
    apart = _pairs_alone(s)
    many = both and s.n_components > FEW_RANKINGS
    table = Table(
        columns,
        len(order),
        lambda k: cells(order[k]),
        name="rewards",
        limit=min(limit, SOME) if apart else limit,
        order="surest changes" if both and s.n_components > 1 else "best",
        legend=_legend(r, c, s, both),
        main=True,
        brief=min(limit, STRONGEST) if many else None,
        gist=_gist(r, c, s) if many else "",
    )
    said = (Prose((apart,)),) if apart else ()
    return Section(f"Rewards by {s.unit}", note, (*said, table))


def _pairs_alone(s: Subjects) -> str:
    """What to say where no ranking has three items: the order of a pair is that of its votes."""
    size = np.bincount(s.components[s.components >= 0], minlength=1)
    if s.n_components < 2 or size.max(initial=0) > 2:
        return ""
    return (
        f"No {s.unit} was compared with more than one other: each of the {s.n_components:,}"
        " rankings is a pair, and its order is what its own votes say."
    )


def _shown_order(r: Rewards, c: Changes, s: Subjects) -> list[int]:
    """Best first by the fit that comes first; with several components, the surest changes first."""
    rank = c.rank_weighted if r.fits == "weighted" else c.rank_standard
    known = np.flatnonzero(s.components >= 0)
    if s.n_components > 1 and not isinstance(r.weighted, NotApplicable):
        shift = np.abs(np.round(c.shift, 9))
        order = np.lexsort((known, -shift[known], -c.sure[known]))
    else:
        order = np.lexsort((known, s.components[known], rank[known]))
    return [int(i) for i in known[order]]


Cells = Callable[[int], tuple[Cell, ...]]


def _columns_of_one(c: Changes, s: Subjects) -> tuple[tuple[Column, ...], Cells]:
    """The columns where only the standard fit was made, and the cells of a subject."""
    columns = (
        Column("rank", "number", ("rank_standard",)),
        Column(s.unit, "line", ("name",)),
        Column("reward", "number", ("reward_standard",)),
        Column("interval", "number", ("interval_low", "interval_high")),
        Column("first", "number", ("probability_first_standard",), wide=True),
        Column("comparisons", "count", ("n_comparisons",), wide=True),
    )

    def cells(i: int) -> tuple[Cell, ...]:
        rank, reward = int(c.rank_standard[i]), float(c.reward_standard[i])
        low, high = c.interval_standard[i].tolist()
        first, n = float(c.probability_first_standard[i]), int(s.n_comparisons[i])
        return (
            Cell(str(rank), (rank,)),
            Cell(_named(s, i, 120), (s.names[i],)),
            Cell(f"{reward:+.2f}", (reward,)),
            Cell(f"[{low:+.2f}, {high:+.2f}]", (low, high)),
            Cell(f"{first:.2f}", (first,)),
            Cell(f"{n:,}", (n,)),
        )

    return columns, cells


def _columns(c: Changes, s: Subjects) -> tuple[tuple[Column, ...], Cells]:
    """The columns of both fits beside each other, and the cells of a subject."""
    columns = (
        Column("rank", "number", ("rank_standard", "rank_weighted")),
        Column(s.unit, "line", ("name",)),
        Column("reward", "number", ("reward_standard", "reward_weighted")),
        Column("shift", "number", ("shift", "shift_low", "shift_high")),
        Column("sure", "number", ("probability_changes_sides",)),
        Column(
            "first",
            "number",
            ("probability_first_standard", "probability_first_weighted"),
            wide=True,
        ),
        Column("comparisons", "count", ("n_comparisons",), wide=True),
    )

    size = np.bincount(s.components[s.components >= 0], minlength=1)
    several = s.n_components > 1

    def cells(i: int) -> tuple[Cell, ...]:
        before, after = int(c.rank_standard[i]), int(c.rank_weighted[i])
        of = f" of {size[s.components[i]]:,}" if several else ""
        one, shift = float(c.reward_standard[i]), float(c.shift[i])
        two = one + shift
        up = shift > 0 if before == after else after < before
        real = bool(c.flagged[i])
        tone: Tone = ("good" if up else "bad") if real else "plain"
        mark = ("▲" if up else "▼") if real else " "
        low, high = c.interval_shift[i].tolist()
        noise: Tone = "dim" if low <= 0 <= high else "plain"
        sure, n = float(c.sure[i]), int(s.n_comparisons[i])
        first = (float(c.probability_first_standard[i]), float(c.probability_first_weighted[i]))
        return (
            Cell(f"{before} → {after}{of} {mark}", (before, after), tone),
            Cell(_named(s, i, 120), (s.names[i],), tone),
            Cell(f"{one:+.2f} → {two:+.2f}", (one, two)),
            Cell(f"{shift:+.2f} [{low:+.2f}, {high:+.2f}]", (shift, low, high), noise),
            Cell(f"{sure:.2f}", (sure,)),
            Cell(f"{first[0]:.2f} → {first[1]:.2f}", first),
            Cell(f"{n:,}", (n,)),
        )

    return columns, cells


def _gist(r: Rewards, c: Changes, s: Subjects) -> str:
    """Of the strongest changes among many rankings: what they are and where the rest is."""
    n = np.unique(s.components[c.flagged]).size
    real = f"in {n:,} of them" if n else "in none"
    return (
        f"the strongest of {s.n_components:,} separate rankings, {real} a change of sides beyond"
        f" the noise (sure {c.confidence_level:.2f} or more); every ranking: --details, --format"
        " csv or json"
    )


def _legend(r: Rewards, c: Changes, s: Subjects, both: bool) -> str:
    level = percent(c.confidence_level)
    text = f"log-odds{'' if s.what == s.unit + 's' else ' (' + s.what + ')'}"
    text += f", {level} intervals from {plural(c.n_replicates, 'replicate')}: {r.intervals}"
    if both:
        text += f"; both centred alike; {SURE_OF_SIDES}, ▲▼ = sure {c.confidence_level:.2f} or more"
    if s.n_components > 1:
        text += f"; ranks are within one of {s.n_components:,} separate rankings"
    silent = int((s.components < 0).sum())
    if silent:
        text += f"; {plural(silent, s.unit)} without comparisons: no data"
    return text


def _quiet(r: Rewards) -> bool:
    """Many rankings and no change in any: one of them, taken at random, says nothing."""
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        return False
    return s.n_components > FEW_RANKINGS and not bool(c.flagged.any())


# --- the chart ---


def _chart(r: Rewards) -> list[Block]:
    if _quiet(r):
        return []
    slopes, note = _slopes(r, MAX_SLOPES, SLOPE_NAME)
    if len(slopes) < 2:
        return []
    return [SlopeChart("Ranks", "standard", "weighted", slopes, note)]


def pictures(facts: RewardFacts) -> Sequence[Picture] | NotApplicable:
    """The slope chart of ``--plot``, or why there is none."""
    r = facts.rewards
    slopes, note = _slopes(r, MAX_DRAWN, DRAWN_NAME)
    if len(slopes) < 2:
        return NotApplicable("there are no two rankings to draw")
    level = "" if isinstance(r.changes, NotApplicable) else percent(r.changes.confidence_level)
    colours = (
        f"green up, red down: changes sides with another, {level} sure"
        if any(slope.marked for slope in slopes)
        else f"no change of sides is {level} sure"
    )
    files = short(", ".join(f.path for f in facts.analysis.dataset.report.files), 70)
    title = f"Ranks by standard and weighted rewards: {files}"
    whole = "; ".join(part for part in (colours, note) if part)
    return [SlopeChart(title, "standard", "weighted", slopes, whole)]


def _slopes(r: Rewards, limit: int, width: int) -> tuple[tuple[Slope, ...], str]:
    """The chart's lines and a note where some are left out; none without two rankings."""
    both = compared(r)
    if both is None:
        return (), ""
    c, s = both
    items, note = _charted(c, s, limit)
    right = sorted(items, key=lambda i: (int(c.rank_weighted[i]), items.index(i)))
    place = {i: k for k, i in enumerate(right)}
    slopes = tuple(
        Slope(_named(s, i, width), k, place[i], bool(c.flagged[i])) for k, i in enumerate(items)
    )
    return slopes, note


def _charted(c: Changes, s: Subjects, limit: int) -> tuple[list[int], str]:
    """Subjects of one component in the standard order: that of the surest change, else the
    largest."""
    surest = int(np.nanargmax(np.where(s.components >= 0, c.sure, -1.0)))
    sizes = np.bincount(s.components[s.components >= 0])
    chosen = int(s.components[surest]) if c.sure[surest] > 0 else int(np.argmax(sizes))
    members = np.flatnonzero(s.components == chosen)
    best = np.minimum(c.rank_standard[members], c.rank_weighted[members])
    kept = members[np.lexsort((members, best))][:limit]
    notes = []
    if kept.size < members.size:
        notes.append(f"{kept.size:,} of {members.size:,} {s.unit}s, the best ranked")
    if s.n_components > 1:
        notes.append(f"one of {s.n_components:,} separate rankings")
    order = kept[np.lexsort((kept, c.rank_standard[kept]))]
    return [int(i) for i in order], "; ".join(notes)


# --- where it comes from ---


def _causes(r: Rewards) -> list[Block]:
    """The clone groups whose weights make the changes, and how much of them."""
    c, s, groups = r.changes, r.subjects, r.groups
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        return []
    if isinstance(groups, NotApplicable) or not groups:
        return []
    explained: dict[int, list[tuple[float, int]]] = {}
    for i in range(s.n):
        if r.causes and (c.flagged[i] or not c.flagged.any()):
            for cause in r.causes[i][:1]:
                explained.setdefault(cause.group, []).append((cause.share, i))
    effects = _effects(r, s)
    if not explained:
        some = Section("Where it comes from", "", effects, folded=_quiet(r))
        return [some] if effects else []
    moved = np.abs(c.shift)
    shown = sorted(explained, key=lambda g: (-len(explained[g]), g))

    def cells(k: int) -> tuple[Cell, ...]:
        group = groups[shown[k]]
        top = sorted(explained[shown[k]], key=lambda x: (-moved[x[1]], x[1]))[:3]
        n = int(group.members.size)
        return (
            Cell(short(group.name, 200), (group.name,)),
            Cell(f"{n:,}", (n,)),
            Cell(percent(group.item_share), (group.item_share,)),
            Cell(percent(group.weight_mass), (group.weight_mass,)),
            Cell(", ".join(f"{share:.0%} {_named(s, i, 24)}" for share, i in top)),
        )

    table = Table(
        (
            Column("clones", "line", share=1),
            Column("size", "count"),
            Column("items", "number", ("item_share",)),
            Column("weight", "number", ("weight_mass",)),
            Column("explains of the change of", share=1),
        ),
        len(shown),
        cells,
        name="causes",
        limit=MAX_CAUSES,
        more="more clusters",
        legend="the weighted fit again with these items back at the average weight: the share of"
        " the change that this takes back",
    )
    kind = "flagged changes" if c.flagged.any() else "changes (none is beyond its noise)"
    note = f"{kind}, by clones"
    return [Section("Where it comes from", note, (table, *effects), folded=_quiet(r))]


def _effects(r: Rewards, s: Subjects) -> tuple[Block, ...]:
    """What the weights of the largest groups move, whether or not it is beyond the noise."""
    if isinstance(r.groups, NotApplicable) or not r.effects:
        return ()
    largest = sorted(r.effects, key=lambda e: (-abs(e.shift), e.group))[:MAX_EFFECTS]
    lines = [
        f"{short(r.groups[effect.group].name, 50)}: {_named(s, effect.subject, 30)}"
        f" {effect.shift:+.2f}; {plural(effect.n_moved, s.unit)} by {MOVED:g} or more"
        for effect in largest
    ]
    tried, known = len(r.effects), len(r.groups)
    some = f"; of {known:,} clusters the {tried:,} whose weight changed most were tried"
    text = f"what the weights of these clones move most, in log-odds{some if tried < known else ''}"
    return Prose((f"{text}:",), "dim"), Prose(tuple(lines), indent=2)


# --- decisions, fits, penalty ---


def _decisions(r: Rewards) -> list[Block]:
    """Pairs that the fits order differently, beside what resampling does; agreement held out."""
    h, d = r.held_out, r.decisions
    lines = []
    if not isinstance(d, NotApplicable):
        lines.append(
            f"the fits order {percent(d.differs)} of {plural(d.n_pairs, 'compared pair')}"
            f" differently; resampling alone turns {percent(d.noise_standard.value)} in the"
            f" standard and {percent(d.noise_weighted.value)} in the weighted fit"
        )
    if not isinstance(h, NotApplicable):
        lines += _held_out(h)
    return [Section("Decisions", "", (Prose(tuple(lines), indent=2),))] if lines else []


def _held_out(h: HeldOut) -> list[str]:
    return [
        f"{plural(h.n_comparisons, 'comparison')} held out in {h.n_folds} folds of {h.held_out}"
        + (f"; {h.n_unpredicted:,} not predicted" if h.n_unpredicted else ""),
        f"they name a different winner in {percent(h.differs.value)}"
        f" ± {percent(h.differs.standard_error)}",
        f"agreement with {plural(h.n_decided, 'judgement')}: standard"
        f" {h.agreement_standard.value:.3f} ± {h.agreement_standard.standard_error:.3f}, weighted"
        f" {h.agreement_weighted.value:.3f} ± {h.agreement_weighted.standard_error:.3f}, difference"
        f" {h.gain.value:+.3f} ± {h.gain.standard_error:.3f}",
    ]


def _how_sure(r: Rewards) -> Section:
    """Fits, the certificate, agreement of the rankings, sandwich against bootstrap."""
    lines = _fit_lines(r) + _bound_lines(r) + _ranking_lines(r)
    if not isinstance(r.errors, NotApplicable):
        ratios = ", ".join(
            f"{name} {e.width_ratio:.2f} ({e.ratio:.2f})"
            for name, e in zip(("standard", "weighted"), r.errors, strict=False)
        )
        lines.append(
            "sandwich over bootstrap, width of the intervals (and of standard errors), median:"
            f" {ratios}"
        )
    return Section("How sure", "", (Prose(tuple(lines), indent=2),), folded=True)


def _fit_lines(r: Rewards) -> list[str]:
    lines = []
    for name, fit in fits_of(r):
        state = fit.status.name.lower().replace("_", " ")
        residual = "" if np.isnan(fit.gradient_norm) else f", residual {fit.gradient_norm:.1e}"
        lines.append(
            f"{name} fit, weights {fit.scheme}: {state}, {plural(fit.iterations, 'iteration')}"
            f"{residual}"
        )
        if not fit.converged:
            lines.append(f"  {fit.status}")
    if not isinstance(r.weighted, NotApplicable):
        lines.append(f"which weights: {r.weights_choice.reason}")
    lines.append(
        f"penalty {r.penalty:g} ({r.penalty_choice.reason}), the same for both fits; as printed in"
        f" the paper's Eq. 1: {r.lambda_eq1:g}"
    )
    return lines


def _bound_lines(r: Rewards) -> list[str]:
    k = r.certificate
    if isinstance(r.weighted, NotApplicable):
        return []
    if isinstance(k, NotApplicable):
        return [f"no certificate: {k.reason}"]
    return [
        f"largest shift {k.measured:.3f}; certified at most {k.residual_bound:.3g} from the"
        f" standard fit and the weights, {k.bound:.3g} before any fit"
    ]


def _ranking_lines(r: Rewards) -> list[str]:
    lines = []
    c = r.changes
    if not isinstance(c, NotApplicable) and not isinstance(r.weighted, NotApplicable):
        tau, top = c.kendall_tau_interval, c.top_overlap_interval
        several = not isinstance(r.subjects, NotApplicable) and r.subjects.n_components > 1
        largest = " (largest component)" if several else ""
        lines.append(
            f"Kendall's tau of the two rankings{largest} {c.kendall_tau:.3f}"
            f" [{tau[0]:.3f}, {tau[1]:.3f}];"
            f" {percent(c.top_overlap)} [{percent(float(top[0]))}, {percent(float(top[1]))}] of the"
            f" first {c.top_k} are the same"
        )
    if not isinstance(r.win_counts, NotApplicable):
        w = r.win_counts
        each = f" (median of {w.n_components:,} components, lowest {w.lowest:.3f})"
        lines.append(
            f"Spearman's correlation of the standard rewards with wins per comparison"
            f" {w.rate_median:.3f}, with win counts {w.median:.3f}"
            + (each if w.n_components > 1 else "")
        )
    return lines


def _penalty(r: Rewards) -> list[Block]:
    """Cross-validated log-likelihood against the penalty, and who leads where that is open."""
    if isinstance(r.curves, NotApplicable):
        return []
    one, two = r.curves
    both = not isinstance(two, NotApplicable)
    near = (one.penalties >= one.low / ONE_STEP) & (one.penalties <= one.high * ONE_STEP)
    rows = np.arange(one.penalties.size) if both else np.flatnonzero(near)
    leads = _leads_at(r)
    columns = [
        Column("penalty", "number", ("penalty", "best")),
        Column("standard", "number", ("log_likelihood_standard",)),
        Column("loss ± error", "number", ("loss", "standard_error")),
    ]
    if both:
        columns.append(Column("weighted", "number", ("log_likelihood_weighted",)))
    columns += [Column(f"first ({fit})", "line", (f"first_{fit}",)) for fit in leads]

    def cells(k: int) -> tuple[Cell, ...]:
        i = int(rows[k])
        penalty = float(one.penalties[i])
        best = penalty == one.best
        fit, loss, error = (float(x[i]) for x in (one.log_likelihood, one.loss, one.error))
        row = [
            Cell(f"{penalty:.3g}{' ◀' if best else '  '}", (penalty, best)),
            Cell(f"{fit:.4f}", (fit,)),
            Cell(f"{loss:.4f} ± {error:.4f}", (loss, error)),
        ]
        if not isinstance(two, NotApplicable):
            other = float(two.log_likelihood[i])
            row.append(Cell(f"{other:.4f}", (other,)))
        for path in leads.values():
            who = path.get(penalty, "")
            row.append(Cell(who, (who,)))
        return tuple(row)

    table = Table(tuple(columns), rows.size, cells, name="penalty")
    note = (
        f"log-likelihood per held-out comparison, {one.n_folds} folds; knowing nothing: -0.6931;"
        f" {one.low:.2g} to {one.high:.2g} cannot be told from the best"
    )
    return [
        Section("Penalty", note, (_penalty_chart(one, two), *_path_charts(r), table), folded=True)
    ]


def _path_charts(r: Rewards) -> list[Chart]:
    """Who leads at which penalty, in either fit."""
    s = r.subjects
    if isinstance(r.paths, NotApplicable) or isinstance(s, NotApplicable) or s.n_components != 1:
        return []
    beyond = r.paths.beyond
    standard: PenaltyPath = r.paths.standard
    weighted: PenaltyPath | NotApplicable = r.paths.weighted
    if not isinstance(beyond, NotApplicable):
        standard, weighted = beyond
    along = {"standard": standard}
    if not isinstance(weighted, NotApplicable):
        along["weighted"] = weighted
    items = _on_path(r, s, tuple(along.values()))
    if len(items) < 2 or standard.penalties.size < 2:
        return []
    return [_path_chart(r, s, r.paths, fit, path, items) for fit, path in along.items()]


def _on_path(r: Rewards, s: Subjects, along: Sequence[PenaltyPath]) -> list[int]:
    """Who is drawn, in the same colour for every fit: all who lead somewhere, then the first of
    either fit at the chosen penalty; in the order of the standard fit."""
    ranks = []
    for path in along:
        at = int(np.argmin(np.abs(np.log(path.penalties / r.penalty))))
        ranks.append(np.where(path.rank[at] > 0, path.rank[at], s.n + 1))
    best = np.minimum.reduce(ranks)
    known = np.flatnonzero((best <= s.n) & (s.components == 0))
    first = known[np.lexsort((known, best[known]))].tolist()
    leaders = [i for path in along for group in path.leaders for i in group]
    items = list(dict.fromkeys([*leaders, *first]))[:MAX_ON_PATH]
    return sorted(items, key=lambda i: (int(ranks[0][i]), i))


def _path_chart(
    r: Rewards, s: Subjects, paths: Paths, fit: str, path: PenaltyPath, items: list[int]
) -> Chart:
    """Rewards along a path, and who leads where."""
    x = tuple(path.penalties.tolist())
    names = {i: named(s.names[i], s.unit, ON_PATH_NAME) for i in items}
    series = tuple(Series(names[i], x, tuple(path.rewards[:, i].tolist())) for i in items)
    turns = path.turns()
    # A lead changes somewhere between two penalties that were fitted: drawn halfway.
    before = [x[x.index(start) - 1] for start, _ in turns[1:]]
    after = [start for start, _ in turns[1:]]
    edges = [x[0], *np.sqrt(np.multiply(before, after)).tolist(), x[-1]]
    strip = tuple(
        Stretch(low, high, names.get(who[0], "") if len(who) == 1 else _list(s, who))
        for low, high, (_, who) in zip(edges, edges[1:], turns, strict=False)
    )
    where = f"{paths.low:.2g} to {paths.high:.2g}"
    along = paths.standard if fit == "standard" else paths.weighted
    decided = isinstance(along, NotApplicable) or along.decided
    who_leads = "the same leads at all of them" if decided else "who leads changes within them"
    open_ = (
        "cannot be told from the best" if not isinstance(r.curves, NotApplicable) else "are held"
    )
    return Chart(
        "line",
        f"Penalty path, {fit} fit",
        f"Rewards of {plural(len(series), s.unit)} against the penalty; above: who leads there."
        f" Shaded: penalties of {where} {open_}; {who_leads}.",
        "penalty",
        "reward, log-odds",
        series,
        x_log=True,
        band=Stretch(paths.low, paths.high, open_),
        strip=strip,
    )


def _leads_at(r: Rewards) -> dict[str, dict[float, str]]:
    """Per fit, penalty -> who leads, where there is one ranking."""
    s = r.subjects
    if isinstance(r.paths, NotApplicable) or isinstance(s, NotApplicable) or s.n_components != 1:
        return {}
    found = {"standard": r.paths.standard}
    if not isinstance(r.paths.weighted, NotApplicable):
        found["weighted"] = r.paths.weighted
    return {
        name: {
            float(penalty): _list(s, leaders)
            for penalty, leaders in zip(path.penalties, path.leaders, strict=True)
        }
        for name, path in found.items()
    }


def _penalty_chart(one: PenaltyChoice, two: PenaltyChoice | NotApplicable) -> Chart:
    curves = {"standard": one} | ({} if isinstance(two, NotApplicable) else {"weighted": two})
    best = ", ".join(f"{curve.best:.3g} ({name})" for name, curve in curves.items())
    series = []
    for name, curve in curves.items():
        mean, error = curve.log_likelihood, curve.error
        series.append(
            Series(
                name,
                tuple(curve.penalties.tolist()),
                tuple(mean.tolist()),
                tuple((mean - error).tolist()),
                tuple((mean + error).tolist()),
                dots=True,
            )
        )
    return Chart(
        "line",
        "Prediction by penalty",
        f"held-out comparisons are predicted best at a penalty of {best}",
        "penalty",
        "log-likelihood per comparison",
        tuple(series),
        x_log=True,
    )
