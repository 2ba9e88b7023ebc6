"""``leaderboard`` of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cr_audit.arrays import NotApplicable
from cr_audit.families.leaderboard import facts as of
from cr_audit.models.voting.independence import Independence
from cr_audit.wire import Count, ItemId, NotNegative, Rank, Resolved, Share, Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item of a board. Rewards are log-odds against the mean of its component; intervals are at
    the board's level; rank_range holds at once for all items with that probability."""

    id: ItemId
    label: str
    rank: Rank
    tied: bool
    rank_range: list[Rank]
    reward: float
    standard_error: NotNegative
    interval: list[float]
    elo: float
    elo_interval: list[float]
    probability_first: Share
    n_wins: NotNegative
    n_ties: NotNegative
    n_losses: NotNegative
    n_opponents: Count
    component: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How ties were modelled, and the log-likelihoods of both models where there are ties."""

    name: str
    eta: float
    davidson: float | None
    rao_kupper: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One ranking, best first. groups: ids that cannot be told apart, longest runs."""

    name: str
    n_battles: NotNegative
    n_units: Count
    n_replicates: Count
    n_not_converged: Count
    n_components: Count
    link: Link
    entries: list[Entry]
    groups: list[list[ItemId]]
    critical_value: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A covariate of the fit: log-odds per standard deviation, or of standing first."""

    name: str
    log_odds: float
    standard_error: NotNegative
    interval: list[float]
    scale: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class Controlled:
    """The board with style in the fit; shift: reward with minus without, by item of the board."""

    board: Board
    effects: list[Effect]
    marked: list[ItemId]
    n_left_out: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An item under equal and under clone-robust weights."""

    id: ItemId
    weight: Share
    rank_standard: Count
    rank_weighted: Count
    reward_standard: float | None
    reward_weighted: float | None
    marked: bool
    q_value: Share
    changes_sides_with: ItemId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardClones:
    """Places by clone-robust weights beside equal ones."""

    scheme: str
    penalty: NotNegative
    items: list[Moved]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What the best of n copies of an owner's best entry gains, in log-odds over the truth."""

    owner: str
    id: ItemId
    n_variants: list[Count]
    gain: list[float]
    interval_low: list[float]
    interval_high: list[float]
    places: list[float]
    stands_first: list[Share]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerPlace:
    """One owner's place by all that it entered."""

    owner: str
    rank: Count
    rank_range: list[Count]
    reward: float | None
    elo: float | None
    entries: list[ItemId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendors:
    """Owners, their places, and what many entries gain. one_place_each: id -> rank when each
    owner's best entry alone takes a place."""

    how: str
    owners: list[OwnerPlace]
    gains: list[Gain]
    one_place_each: dict[str, Count]
    n_within: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """Deleting ``removed`` from its clones changed the winners or the order of others."""

    removed: ItemId
    clones: list[ItemId]
    kind: str
    items: list[ItemId]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """One voting rule. dependences: none means that no clone set of this board matters to it."""

    rule: str
    winners: list[ItemId]
    share_winning: dict[str, Share]
    ranks: dict[str, Rank]
    winners_depend: list[Dependence]
    order_depends: list[Dependence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting:
    """Rules on margins; lottery: probabilities of the maximal lottery."""

    rules: list[RuleOutcome]
    lottery: dict[str, Share]
    clone_sets_from: str
    board_winners_depend: list[Dependence]
    board_order_depends: list[Dependence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two items: battles won, tied and lost by the first, and what the fit says of one."""

    first: ItemId
    second: ItemId
    won: NotNegative
    tied: NotNegative
    lost: NotNegative
    p_win: Share
    p_tie: Share
    p_loss: Share
    standard_error: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """One judge's competence: 1 is the average, 0 tosses coins."""

    name: str
    competence: float
    standard_error: NotNegative
    n_battles: Count
    agreement: Share | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Competence:
    """Judges, and the rewards that weigh them, by id."""

    spread: NotNegative
    gain_per_battle: float
    judges: list[Judge]
    rewards: dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """A prior of this standard deviation (log-odds) and who leads under it."""

    standard_deviation: NotNegative
    leaders: list[ItemId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """Who stands where, how sure that is, and what it depends on."""

    unit: str
    unit_reason: str
    level: Share
    resampled: Resolved
    n_within: Count
    leaders: list[ItemId]
    contenders: list[ItemId]
    board: Board
    priors: list[Prior]
    pairs: list[Pair]
    position: Effect | NotApplicable
    position_by_judge: list[Effect] | NotApplicable
    competence: Competence | NotApplicable
    controlled: Controlled | NotApplicable
    clones: BoardClones | NotApplicable
    vendors: Vendors | NotApplicable
    voting: Voting | NotApplicable
    by_field: str
    by: list[Board] | NotApplicable


PARTS = {"leaderboard": Leaderboard}


def parts(facts: of.LeaderboardFacts, texts: Texts) -> dict[str, Any]:
    """The record of this family."""
    from cr_audit.families.leaderboard.rules import contenders

    f, ids = facts, facts.ids
    labels = tuple(texts.cut(n) or "" for n in f.names)

    def board(b: of.Board) -> Board:
        return _board(b, ids, labels)

    return {
        "leaderboard": Leaderboard(
            unit=f.unit,
            unit_reason=f.unit_reason,
            level=f.level,
            resampled=Resolved(value=f.resampled.value, reason=f.resampled.reason),
            n_within=f.n_within,
            leaders=[ids[i] for i in f.board.leaders],
            contenders=[ids[i] for i in contenders(f)],
            board=board(f.board),
            priors=[
                Prior(standard_deviation=sd, leaders=[ids[i] for i in group])
                for sd, group in zip(f.path.prior_sd, f.path.leaders, strict=True)
            ],
            pairs=_pairs(f.pairs, ids),
            position=_maybe(f.position, _effect),
            position_by_judge=_maybe(f.position_by_judge, lambda x: [_effect(e) for e in x]),
            competence=_maybe(f.competence, lambda c: _competence(c, f, texts)),
            controlled=_maybe(
                f.controlled,
                lambda c: Controlled(
                    board=board(c.board),
                    effects=[_effect(e) for e in c.effects],
                    marked=[ids[i] for i in c.marks.marked.nonzero()[0].tolist()],
                    n_left_out=c.n_left_out,
                ),
            ),
            clones=_maybe(f.clones, lambda c: _clones(c, ids)),
            vendors=_maybe(f.vendors, lambda v: _vendors(v, ids)),
            voting=_maybe(f.voting, lambda v: _voting(v, ids)),
            by_field=f.by_field,
            by=_maybe(f.by, lambda boards: [board(b) for b in boards]),
        )
    }


def _maybe(value: Any, make: Any) -> Any:
    return value if isinstance(value, NotApplicable) else make(value)


def _board(b: of.Board, ids: tuple[str, ...], labels: tuple[str, ...]) -> Board:
    p, fit = b.places, b.fit
    scale = 400.0 / 2.302585092994046
    entries = [
        Entry(
            id=ids[i],
            label=labels[i],
            rank=p.rank[i],
            tied=bool(p.tied[i]),
            rank_range=[p.low[i], p.high[i]],
            reward=fit.rewards[i],
            standard_error=b.error[i],
            interval=[b.low[i], b.high[i]],
            elo=b.elo[i],
            elo_interval=[1000.0 + scale * b.low[i], 1000.0 + scale * b.high[i]],
            probability_first=b.leading.probability[i],
            n_wins=b.n_wins[i],
            n_ties=b.n_ties[i],
            n_losses=b.n_losses[i],
            n_opponents=b.n_opponents[i],
            component=fit.component[i],
        )
        for i in p.order.tolist()
    ]
    link = b.link
    known = not isinstance(link, NotApplicable)
    return Board(
        name=b.name,
        n_battles=b.n_battles,
        n_units=b.n_units,
        n_replicates=b.n_replicates,
        n_not_converged=b.n_not_converged,
        n_components=fit.n_components,
        link=Link(
            name=fit.link,
            eta=fit.eta,
            davidson=link.davidson if known else None,  # type: ignore[union-attr]
            rao_kupper=link.rao_kupper if known else None,  # type: ignore[union-attr]
        ),
        entries=entries,
        groups=[
            [ids[i] for i in p.order[a : z + 1].tolist()] for a, z in p.groups.tolist() if z > a
        ],
        critical_value=p.critical,
    )


def _effect(e: of.Effect) -> Effect:
    return Effect(
        name=e.name,
        log_odds=e.value,
        standard_error=e.error,
        interval=[e.low, e.high],
        scale=e.scale,
    )


def _pairs(p: of.Pairs, ids: tuple[str, ...]) -> list[Pair]:
    return [
        Pair(
            first=ids[p.first[k]],
            second=ids[p.second[k]],
            won=p.counts[0, k],
            tied=p.counts[1, k],
            lost=p.counts[2, k],
            p_win=p.probabilities[0, k],
            p_tie=p.probabilities[1, k],
            p_loss=p.probabilities[2, k],
            standard_error=p.error[k],
        )
        for k in range(p.first.shape[0])
    ]


def _competence(c: Any, facts: of.LeaderboardFacts, texts: Texts) -> Competence:
    return Competence(
        spread=c.spread,
        gain_per_battle=c.gain,
        judges=[
            Judge(
                name=texts.cut(facts.judges[int(j)]) or "",
                competence=c.competence[k],
                standard_error=c.error[k],
                n_battles=c.n_battles[k],
                agreement=c.agreement[k],
            )
            for k, j in enumerate(c.judges)
        ],
        rewards=dict(zip(facts.ids, c.rewards.tolist(), strict=True)),
    )


def _clones(c: of.CloneRobust, ids: tuple[str, ...]) -> BoardClones:
    return BoardClones(
        scheme=c.scheme,
        penalty=c.penalty,
        items=[
            Moved(
                id=ids[i],
                weight=c.weights[i],
                rank_standard=c.rank_standard[i],
                rank_weighted=c.rank_weighted[i],
                reward_standard=c.reward_standard[i],
                reward_weighted=c.reward_weighted[i],
                marked=bool(c.marks.marked[i]),
                q_value=c.marks.q_value[i],
                changes_sides_with=ids[c.marks.partner[i]] if c.marks.partner[i] >= 0 else None,
            )
            for i in range(len(ids))
        ],
    )


def _vendors(v: of.Vendors, ids: tuple[str, ...]) -> Vendors:
    b = v.board
    places = []
    for o, owner in enumerate(v.owners):
        mine = [ids[i] for i in (v.labels == o).nonzero()[0].tolist()]
        alone = isinstance(b, NotApplicable)
        places.append(
            OwnerPlace(
                owner=owner,
                rank=0 if alone else b.places.rank[o],  # type: ignore[union-attr]
                rank_range=[] if alone else [b.places.low[o], b.places.high[o]],  # type: ignore[union-attr]
                reward=None if alone else b.fit.rewards[o],  # type: ignore[union-attr]
                elo=None if alone else b.elo[o],  # type: ignore[union-attr]
                entries=mine,
            )
        )
    return Vendors(
        how=v.how,
        owners=places,
        gains=[
            Gain(
                owner=v.owners[int(v.labels[g.item])],
                id=ids[g.item],
                n_variants=list(g.n_variants),
                gain=list(g.gain),
                interval_low=list(g.low),
                interval_high=list(g.high),
                places=list(g.places),
                stands_first=list(g.first),
            )
            for g in v.gains
        ],
        one_place_each=dict(zip(ids, v.place.tolist(), strict=True)),
        n_within=v.n_within,
    )


def _voting(v: of.Voting, ids: tuple[str, ...]) -> Voting:
    checks = v.independence

    def changed(name: str, part: str) -> list[Dependence]:
        check: Independence = checks[name]
        return [
            Dependence(
                removed=ids[d.removed],
                clones=[ids[i] for i in d.clones],
                kind=d.kind,
                items=[ids[i] for i in d.items],
            )
            for d in getattr(check, part)
        ]

    return Voting(
        rules=[
            RuleOutcome(
                rule=r.rule,
                winners=[ids[i] for i in r.winners.tolist()],
                share_winning=dict(zip(ids, r.share_winning.tolist(), strict=True)),
                ranks=dict(zip(ids, r.rank.tolist(), strict=True)),
                winners_depend=changed(r.rule, "winners"),
                order_depends=changed(r.rule, "order"),
            )
            for r in v.rules
        ],
        lottery=dict(zip(ids, v.lottery.tolist(), strict=True)),
        clone_sets_from=v.sets_from,
        board_winners_depend=changed("board", "winners"),
        board_order_depends=changed("board", "order"),
    )
