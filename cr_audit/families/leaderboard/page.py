"""A leaderboard on a page: Elo with intervals, and the ranks that the data leave open."""

from __future__ import annotations

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Chart, Number, Section, Series, Tone
from cr_audit.families.leaderboard.facts import LeaderboardFacts
from cr_audit.families.leaderboard.rules import contenders
from cr_audit.families.leaderboard.show import chart
from cr_audit.heads import named
from cr_audit.wording import plural

MAX_DRAWN = 60


def numbers(facts: LeaderboardFacts) -> list[Number]:
    """Who may be first, how sure that is, and what clones have to do with it."""
    may = contenders(facts)
    p = float(facts.board.leading.probability[may[0]])
    sure = "above 0.99" if p > 0.99 else f"{p:.2f}"
    tone: Tone = "good" if len(may) == 1 else "warning"
    first = named(facts.names[may[0]], facts.unit, 30)
    out = [
        Number(
            f"{len(may):,}", f"of {plural(len(facts.names), facts.unit)} may be first", "", tone
        ),
        Number(sure, "probability of being the best", first),
    ]
    if not isinstance(facts.clones, NotApplicable):
        n = int(facts.clones.marks.marked.sum())
        note = f"by {facts.clones.scheme} weights"
        out.append(Number(f"{n:,}", "places owed to clones", note, "warning" if n else "good"))
    return out


def blocks(facts: LeaderboardFacts) -> list[Block]:
    """Both charts of the largest component."""
    drawn = (chart(facts), _ranges(facts))
    if not drawn[1].series[0].y:
        return []
    return [Section("Places that hold", f"by {facts.unit}", drawn)]


def _ranges(facts: LeaderboardFacts) -> Chart:
    board = facts.board
    items = [int(i) for i in board.places.order if board.fit.component[i] == 0][:MAX_DRAWN]
    return Chart(
        "interval",
        "Ranks that the data leave",
        f"For each {facts.unit} the ranks it may have, and the one it has by its estimate.",
        "rank",
        "",
        (
            Series(
                "rank",
                tuple(float(k) for k in range(len(items))),
                tuple(float(board.places.rank[i]) for i in items),
                tuple(float(board.places.low[i]) for i in items),
                tuple(float(board.places.high[i]) for i in items),
                tuple(named(facts.names[i], facts.unit) for i in items),
            ),
        ),
    )
