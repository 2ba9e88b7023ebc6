"""A leaderboard for people."""

from __future__ import annotations

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Answer, Block, Cell, Chart, Column, Prose, Section, Series, Table, Tone
from cr_audit.families.leaderboard.facts import Board, LeaderboardFacts
from cr_audit.families.leaderboard.rules import contenders
from cr_audit.heads import named
from cr_audit.models.ties.fit import ELO_PER_LOG_ODDS
from cr_audit.models.voting.independence import Independence
from cr_audit.models.voting.rules import INDEPENDENT_OF_CLONES
from cr_audit.wording import left_out, percent, plural

MAX_GROUPS = 3
MAX_PAIRS = 10
MAX_WINNERS = 3


def blocks_of(facts: LeaderboardFacts, *, limit: int) -> list[Block]:
    """Everything, the verdict first."""
    out: list[Block] = [
        Answer(tuple(answer(facts)), "good" if len(contenders(facts)) == 1 else "warning"),
        main(facts, limit=limit),
    ]
    out += [
        b
        for b in (
            _by(facts),
            _clones(facts, limit),
            _controlled(facts, limit),
            _vendors(facts),
            _voting(facts),
            _unseen(facts),
            _judges(facts),
        )
        if b is not None
    ]
    return out


def answer(facts: LeaderboardFacts) -> list[str]:
    """Who leads, how sure that is, and under what it holds."""
    board, may = facts.board, contenders(facts)
    out = []
    if board.fit.n_components > 1:
        out.append(
            f"{board.fit.n_components:,} groups of {facts.unit}s were never compared with each"
            " other: ranks are within them."
        )
    leaders = board.leaders
    if len(leaders) > 1:
        out.append(f"{_list(facts, leaders)} tie for the first place.")
    elif len(may) == 1:
        p = float(board.leading.probability[may[0]])
        out.append(f"{_name(facts, may[0])} leads (probability {_probability(p)}).")
    else:
        first, chance = may[0], board.leading.probability
        likeliest = int(np.argmax(chance))
        more = (
            ""
            if likeliest == first
            else f", {_name(facts, likeliest)} the highest probability"
            f" ({_probability(float(chance[likeliest]))}), being known better"
        )
        out.append(
            f"The first place is undecided between {_list(facts, may)};"
            f" {_name(facts, first)} has the highest estimate (probability"
            f" {_probability(float(chance[first]))} of being the best){more}."
        )
    if not facts.path.decided:
        out.append(f"It depends on the prior: {_list(facts, facts.path.undecided)}.")
    c = facts.clones
    if not isinstance(c, NotApplicable):
        n = int(c.marks.marked.sum())
        out.append(
            f"{plural(n, facts.unit)} {'owes its place' if n == 1 else 'owe their places'}"
            " to clones."
            if n
            else "No place depends on clones."
        )
    return out


def _probability(p: float) -> str:
    return "above 0.99" if p > 0.99 else f"{p:.2f}"


def _name(facts: LeaderboardFacts, item: int, width: int = 40) -> str:
    return named(facts.names[item], facts.unit, width)


def _list(facts: LeaderboardFacts, items: tuple[int, ...], most: int = 4) -> str:
    shown = [_name(facts, i) for i in items[:most]]
    if len(items) > most:
        shown.append(f"{len(items) - most:,} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def main(facts: LeaderboardFacts, *, limit: int) -> Section:
    """The board, its groups, and how it was made."""
    board = facts.board
    return Section(
        f"Leaderboard by {facts.unit}",
        facts.unit_reason,
        (
            _board_table(facts, board, limit=limit, name="leaderboard", main=True),
            Prose(_method(facts), "dim"),
            *_groups(facts),
        ),
    )


def _board_table(
    facts: LeaderboardFacts, board: Board, *, limit: int, name: str, main: bool = False
) -> Table:
    order = board.places.order
    many = board.fit.n_components > 1
    columns = [
        Column("rank", "count", ("rank", "tied")),
        Column("range", "id", ("rank_low", "rank_high")),
        Column(facts.unit, "line", ("name",)),
        Column("Elo", "number", ("elo", "elo_low", "elo_high")),
        Column("log-odds", "number", ("reward", "low", "high"), wide=True),
        Column("P(first)", "number", ("probability_first",)),
        Column("won-tied-lost", "id", ("n_wins", "n_ties", "n_losses")),
        Column("opponents", "count", ("n_opponents",), wide=True),
    ]
    if many:
        columns.append(Column("component", "count", ("component",), wide=True))

    def row(k: int) -> tuple[Cell, ...]:
        i = int(order[k])
        p, fit = board.places, board.fit
        low, high = int(p.low[i]), int(p.high[i])
        half = ELO_PER_LOG_ODDS * (float(board.high[i]) - float(board.fit.rewards[i]))
        first = float(board.leading.probability[i])
        tone: Tone = "strong" if low == 1 and fit.component[i] == 0 else "plain"
        w, t, l = board.n_wins[i], board.n_ties[i], board.n_losses[i]
        cells = [
            Cell(f"{int(p.rank[i])}{'=' if p.tied[i] else ''}", (int(p.rank[i]), bool(p.tied[i]))),
            Cell(f"{low}" if low == high else f"{low}–{high}", (low, high)),
            Cell(_name(facts, i, 120), (facts.names[i],), tone),
            Cell(
                f"{board.elo[i]:.0f} ± {half:.0f}",
                (float(board.elo[i]), float(board.elo[i] - half), float(board.elo[i] + half)),
            ),
            Cell(
                f"{fit.rewards[i]:+.2f}",
                (float(fit.rewards[i]), float(board.low[i]), float(board.high[i])),
            ),
            Cell(f"{first:.2f}" if fit.component[i] == 0 else "", (first,)),
            Cell(f"{w:,.0f}-{t:,.0f}-{l:,.0f}", (float(w), float(t), float(l))),
            Cell(f"{int(board.n_opponents[i]):,}", (int(board.n_opponents[i]),)),
        ]
        if many:
            cells.append(Cell(f"{int(fit.component[i]) + 1}", (int(fit.component[i]),)))
        return tuple(cells)

    share = percent(1.0 - facts.level)
    legend = (
        f"range: ranks that the data leave (at most {share} of such tables hold one false"
        f" separation); ± {percent(facts.level)} interval; 400 Elo are odds of 10 to 1;"
        " P(first): chance of being the best; = a tie"
    )
    return Table(
        tuple(columns),
        int(order.size),
        row,
        name=name,
        limit=limit,
        more=f"more {facts.unit}s",
        order="best",
        legend=legend,
        main=main,
    )


def _method(facts: LeaderboardFacts) -> tuple[str, ...]:
    board = facts.board
    fit, link = board.fit, board.link
    if isinstance(link, NotApplicable):
        how = f"Bradley-Terry ({link.reason})"
    else:
        name = {"davidson": "Davidson", "rao-kupper": "Rao-Kupper"}[fit.link]
        how = (
            f"Bradley-Terry with ties by {name} (log-likelihood {abs(link.ratio):,.1f} above the"
            " other model of ties)"
        )
    lines = [
        f"{how}; {board.n_battles:,.0f} battles, {plural(board.n_replicates, 'resample')} of"
        f" {facts.resampled.value}; prior: log-odds of ± 3, the same leaders under ± 1 to ± 10:"
        f" {'yes' if facts.path.decided else 'no'}"
    ]
    p = facts.position
    if not isinstance(p, NotApplicable):
        lines.append(
            f"shown first: {p.value:+.2f} log-odds ({percent(facts.level)} interval {p.low:+.2f} to"
            f" {p.high:+.2f})"
        )
    if facts.n_within:
        lines.append(f"{plural(facts.n_within, 'battle')} within one {facts.unit} left out")
    if board.n_not_converged:
        lines.append(f"{plural(board.n_not_converged, 'resample')} did not converge")
    return tuple(lines)


def _groups(facts: LeaderboardFacts) -> tuple[Block, ...]:
    places = facts.board.places
    several = [(a, b) for a, b in places.groups.tolist() if b > a]
    if not several:
        return ()
    lines = []
    for a, b in several[:MAX_GROUPS]:
        items = tuple(places.order[a : b + 1].tolist())
        lines.append(f"not distinguishable: {_list(facts, items, 6)}")
    if len(several) > MAX_GROUPS:
        lines.append(left_out(len(several) - MAX_GROUPS, "more groups"))
    return (Prose(tuple(lines), "dim"),)


def chart(facts: LeaderboardFacts) -> Chart:
    """Intervals of all items, the best on top."""
    board = facts.board
    order = [int(i) for i in board.places.order if board.fit.component[i] == 0]
    return Chart(
        "interval",
        f"Leaderboard by {facts.unit}",
        f"Elo of every {facts.unit} with its {percent(facts.level)} interval.",
        "Elo",
        "",
        (
            Series(
                "Elo",
                tuple(float(k) for k in range(len(order))),
                tuple(float(board.elo[i]) for i in order),
                tuple(float(_elo(board.low[i])) for i in order),
                tuple(float(_elo(board.high[i])) for i in order),
                tuple(_name(facts, i) for i in order),
            ),
        ),
    )


def _elo(reward: float) -> float:
    return 1000.0 + ELO_PER_LOG_ODDS * reward


def _by(facts: LeaderboardFacts) -> Section | None:
    if isinstance(facts.by, NotApplicable):
        return None
    boards = facts.by
    rows = []
    for b in boards:
        own = b.places
        may = [i for i in own.order.tolist() if b.fit.component[i] == 0 and own.low[i] == 1]
        best = may[0]
        rows.append(
            (
                Cell(b.name, (b.name,)),
                Cell(f"{b.n_battles:,.0f}", (b.n_battles,)),
                Cell(_name(facts, best), (facts.names[best],)),
                Cell(f"{b.leading.probability[best]:.2f}", (float(b.leading.probability[best]),)),
                Cell(f"{len(may):,}", (len(may),)),
                Cell(
                    f"{int(facts.board.places.rank[best])}", (int(facts.board.places.rank[best]),)
                ),
            )
        )
    table = Table.of(
        (
            Column(facts.by_field, "line", ("value",)),
            Column("battles", "count", ("n_battles",)),
            Column("highest estimate", "line", ("leader",)),
            Column("P(first)", "number", ("probability_first",)),
            Column("may be first", "count", ("n_contenders",)),
            Column("rank overall", "count", ("rank_overall",)),
        ),
        rows,
        name="boards-by-value",
        legend="each value has a board of its own in the JSON document",
    )
    rest = f"; {plural(facts.n_small, 'value')} with too few battles" if facts.n_small else ""
    return Section(f"Boards by {facts.by_field}", f"{plural(len(boards), 'board')}{rest}", (table,))


def _clones(facts: LeaderboardFacts, limit: int) -> Section | None:
    c = facts.clones
    if isinstance(c, NotApplicable):
        return Section("Clones", c.reason)
    marked = np.flatnonzero(c.marks.marked)
    note = f"places by {c.scheme} weights beside equal ones"
    if marked.size == 0:
        return Section("Clones", f"{note}: none differs beyond noise")
    order = marked[np.lexsort((marked, c.rank_weighted[marked]))]
    rows = [
        (
            Cell(
                f"{int(c.rank_standard[i])} → {int(c.rank_weighted[i])}",
                (int(c.rank_standard[i]), int(c.rank_weighted[i])),
                "good" if c.rank_weighted[i] < c.rank_standard[i] else "bad",
            ),
            Cell(_name(facts, int(i), 120), (facts.names[i],)),
            Cell(f"{len(facts.names) * c.weights[i]:.2f}", (float(c.weights[i]),)),
            Cell(_name(facts, int(c.marks.partner[i])), (facts.names[int(c.marks.partner[i])],)),
            Cell(f"{c.marks.q_value[i]:.3f}", (float(c.marks.q_value[i]),)),
        )
        for i in order.tolist()
    ]
    table = Table.of(
        (
            Column("rank", "number", ("rank_standard", "rank_weighted")),
            Column(facts.unit, "line", ("name",)),
            Column("weight", "number", ("weight",)),
            Column("changes sides with", "line", ("partner",)),
            Column("q", "number", ("q_value",)),
        ),
        rows,
        name="places-by-clones",
        limit=limit,
        legend="weight: 1 is the average; q: the false-discovery rate at which the place is marked",
    )
    return Section("Clones", note, (table,))


def _controlled(facts: LeaderboardFacts, limit: int) -> Section | None:
    c = facts.controlled
    if isinstance(c, NotApplicable):
        return None if "--control" in c.reason else Section("Style", c.reason)
    effects = Table.of(
        (
            Column("feature", "text", ("feature",)),
            Column("log-odds", "number", ("log_odds", "low", "high")),
        ),
        [
            (
                Cell(e.name, (e.name,)),
                Cell(f"{e.value:+.3f} ({e.low:+.3f} to {e.high:+.3f})", (e.value, e.low, e.high)),
            )
            for e in c.effects
        ],
        name="style-effects",
        legend="per standard deviation of the normalised difference of the two answers",
    )
    order = c.board.places.order
    rows = []
    for i in order.tolist():
        before, after = int(facts.board.places.rank[i]), int(c.board.places.rank[i])
        mark = bool(c.marks.marked[i])
        tone: Tone = ("good" if after < before else "bad") if mark else "plain"
        rows.append(
            (
                Cell(f"{before} → {after}", (before, after), tone),
                Cell(_name(facts, i, 120), (facts.names[i],), tone),
                Cell(f"{c.board.elo[i]:.0f}", (float(c.board.elo[i]),)),
                Cell(f"{ELO_PER_LOG_ODDS * c.shift[i]:+.0f}", (float(c.shift[i]),)),
            )
        )
    table = Table.of(
        (
            Column("rank", "number", ("rank", "rank_controlled")),
            Column(facts.unit, "line", ("name",)),
            Column("Elo", "number", ("elo",)),
            Column("change", "number", ("shift",)),
        ),
        rows,
        name="places-without-style",
        limit=limit,
        legend="coloured: a place that differs beyond noise",
    )
    note = f"{', '.join(e.name for e in c.effects)} in the fit"
    if c.n_left_out:
        note += f"; {plural(c.n_left_out, 'battle')} without texts left out"
    return Section("Style", note, (effects, table))


def _vendors(facts: LeaderboardFacts) -> Section | None:
    v = facts.vendors
    if isinstance(v, NotApplicable):
        return None if "--owner" in v.reason else Section("Vendors", v.reason)
    rows = []
    for g in v.gains:
        k = int(g.n_variants.argmax())
        extra = float(g.gain[k] - g.gain[0])
        rows.append(
            (
                Cell(v.owners[int(v.labels[g.item])], (v.owners[int(v.labels[g.item])],)),
                Cell(f"{int(g.n_variants[k]):,}", (int(g.n_variants[k]),)),
                Cell(_name(facts, g.item), (facts.names[g.item],)),
                Cell(f"{ELO_PER_LOG_ODDS * extra:+.0f}", (extra,)),
                Cell(f"{g.places[k] - g.places[0]:+.1f}", (float(g.places[k] - g.places[0]),)),
                Cell(
                    f"{g.first[0]:.2f} → {g.first[k]:.2f}", (float(g.first[0]), float(g.first[k]))
                ),
            )
        )
    table = Table.of(
        (
            Column("owner", "line", ("owner",)),
            Column("entries", "count", ("n_entries",)),
            Column("best entry", "line", ("item",)),
            Column("gain, Elo", "number", ("gain",)),
            Column("places", "number", ("places",)),
            Column("stands first", "number", ("first_alone", "first_best")),
        ),
        rows,
        name="best-of-many",
        legend="what copies of the best entry alone would gain by showing the best of as many",
    )
    blocks: list[Block] = [table] if rows else []
    if not isinstance(v.board, NotApplicable):
        blocks.append(_owners_table(v.board, v.owners))
    return Section(
        "Vendors",
        f"{plural(len(v.owners), 'owner')} by {v.how};"
        f" {plural(v.n_within, 'battle')} within one owner left out below",
        tuple(blocks),
    )


def _owners_table(board: Board, owners: tuple[str, ...]) -> Table:
    order = board.places.order
    return Table.of(
        (
            Column("rank", "count", ("rank",)),
            Column("range", "id", ("rank_low", "rank_high")),
            Column("owner", "line", ("owner",)),
            Column("Elo", "number", ("elo",)),
        ),
        [
            (
                Cell(f"{int(board.places.rank[i])}", (int(board.places.rank[i]),)),
                Cell(
                    f"{int(board.places.low[i])}–{int(board.places.high[i])}",
                    (int(board.places.low[i]), int(board.places.high[i])),
                ),
                Cell(owners[i], (owners[i],)),
                Cell(f"{board.elo[i]:.0f}", (float(board.elo[i]),)),
            )
            for i in order.tolist()
        ],
        name="owners",
        limit=20,
        more="more owners",
        order="best",
        caption="one place for each owner, by all that it entered",
    )


def _voting(facts: LeaderboardFacts) -> Section | None:
    v = facts.voting
    if isinstance(v, NotApplicable):
        return Section("Rules", v.reason)
    checks = v.independence
    rows = []
    for r in v.rules:
        best = tuple(sorted(r.winners.tolist(), key=lambda i: int(facts.board.places.rank[i])))
        here = _dependence(facts, checks[r.rule])
        always = "always" if r.rule in INDEPENDENT_OF_CLONES else "no"
        rows.append(
            (
                Cell(r.rule, (r.rule,)),
                Cell(_winners(facts, best), (facts.names[best[0]],)),
                Cell(
                    f"{float(r.share_winning[list(best)].sum()):.2f}",
                    (float(r.share_winning[list(best)].sum()),),
                ),
                Cell(always, (always,)),
                Cell(here, (here,)),
            )
        )
    table = Table.of(
        (
            Column("rule", "id", ("rule",)),
            Column("wins", "line", ("winner",)),
            Column("of resamples", "number", ("share",)),
            Column("winners independent of clones", "text", ("independent",)),
            Column("on this board", "text", ("here",)),
        ),
        rows,
        name="rules",
        legend=f"on this board: {v.sets_from}",
    )
    own = Prose((f"the board's own fit: {_dependence(facts, checks['board'])}",), "dim")
    return Section(
        "Rules on margins", "independent of clones by construction, or not", (table, own)
    )


def _winners(facts: LeaderboardFacts, best: tuple[int, ...]) -> str:
    """The winners, the best of the board first; how many where the rule leaves most open."""
    if len(best) > max(MAX_WINNERS, len(facts.names) // 2):
        return f"open: {len(best):,} of {len(facts.names):,}"
    return _list(facts, best, MAX_WINNERS)


def _dependence(facts: LeaderboardFacts, check: Independence) -> str:
    if check.winners:
        return f"a copy of {_name(facts, check.winners[0].removed, 24)} changes who wins"
    if check.order:
        return f"a copy of {_name(facts, check.order[0].removed, 24)} changes the order of others"
    return "no copy changes anything"


def _unseen(facts: LeaderboardFacts) -> Section | None:
    p = facts.pairs
    new = np.flatnonzero(~p.seen)
    if new.size == 0:
        return None
    order = new[np.lexsort((new, -p.error[new]))][:MAX_PAIRS]
    rows = [
        (
            Cell(_name(facts, int(p.first[k])), (facts.names[int(p.first[k])],)),
            Cell(_name(facts, int(p.second[k])), (facts.names[int(p.second[k])],)),
            Cell(
                " / ".join(f"{x:.2f}" for x in p.probabilities[:, k]),
                tuple(float(x) for x in p.probabilities[:, k]),
            ),
            Cell(f"{p.error[k]:.2f}", (float(p.error[k]),)),
        )
        for k in order.tolist()
    ]
    table = Table.of(
        (
            Column("first", "line", ("first",)),
            Column("second", "line", ("second",)),
            Column("wins / tie / loses", "number", ("p_win", "p_tie", "p_loss")),
            Column("error, log-odds", "number", ("error",)),
        ),
        rows,
        name="unseen-pairs",
        order="least sure",
    )
    note = f"{new.size:,} of {p.seen.size:,}"
    return Section("Pairs never compared", note, (table,), folded=True)


def _judges(facts: LeaderboardFacts) -> Section | None:
    c = facts.competence
    if isinstance(c, NotApplicable):
        return None
    lines = [
        f"competence of {plural(c.judges.size, 'judge')}: spread {c.spread:.2f} around 1;"
        f" log-likelihood {c.gain:+.4f} a battle against equal judges"
    ]
    by = facts.position_by_judge
    if not isinstance(by, NotApplicable):
        far = sorted(by, key=lambda e: -abs(e.value))[:3]
        lines.append(
            "position by judge, largest: "
            + "; ".join(f"{e.name} {e.value:+.2f} ({e.low:+.2f} to {e.high:+.2f})" for e in far)
        )
    return Section("Judges", "", (Prose(tuple(lines)),), folded=True)
