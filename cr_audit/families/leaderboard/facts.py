"""What a leaderboard holds: numbers and reasons, no words."""

from __future__ import annotations

from dataclasses import dataclass

from cr_audit.analysis.choice import Choice
from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.models.competence import Competence
from cr_audit.models.marks import Marks
from cr_audit.models.places import Leading, Places
from cr_audit.models.ties.fit import LinkChoice, TieFit
from cr_audit.models.vendors import BestOfN
from cr_audit.models.voting.bootstrap import RuleResult
from cr_audit.models.voting.independence import Independence


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """One ranking. Items as in ``LeaderboardFacts``; those without a battle here have NaN, rank 0.

    name : the value that the rows share, "" for all rows. error : float64 (m,), of the reward
    against the component's mean; low, high : the interval at ``level``, log-odds. elo : float64
    (m,), 1000 at the component's mean, 400 for odds of 10. n_wins, n_ties, n_losses : float64 (m,),
    by mass. n_opponents : int64 (m,). n_units : what was resampled.
    """

    name: str
    fit: TieFit
    link: LinkChoice | NotApplicable
    covariance: FloatArray
    error: FloatArray
    low: FloatArray
    high: FloatArray
    elo: FloatArray
    places: Places
    leading: Leading
    n_wins: FloatArray
    n_ties: FloatArray
    n_losses: FloatArray
    n_opponents: IntArray
    n_battles: float
    n_units: int
    n_replicates: int
    n_not_converged: int

    @property
    def leaders(self) -> tuple[int, ...]:
        """Items at rank 1 of the largest component; several are a tie."""
        first = (self.places.rank == 1) & (self.fit.component == 0)
        return tuple(first.nonzero()[0].tolist())


@dataclass(frozen=True, slots=True)
class PriorPath:
    """Leaders under priors from narrow to wide; standard deviations in log-odds, falling precision.

    leaders : per prior the items at rank 1. decided : the same everywhere.
    """

    prior_sd: tuple[float, ...]
    leaders: tuple[tuple[int, ...], ...]

    @property
    def decided(self) -> bool:
        """Whether the same items lead along the whole path."""
        return len(set(self.leaders)) <= 1

    @property
    def undecided(self) -> tuple[int, ...]:
        """All items that lead somewhere on the path."""
        return tuple(sorted({x for group in self.leaders for x in group}))


@dataclass(frozen=True, slots=True)
class Effect:
    """A covariate: log-odds per standard deviation of the feature (or of standing first)."""

    name: str
    value: float
    error: float
    low: float
    high: float
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class Controlled:
    """The board with covariates beside the one without. shift : float64 (m,), reward with minus
    reward without. marks : which places differ beyond noise. n_left_out : battles without texts."""

    board: Board
    effects: tuple[Effect, ...]
    shift: FloatArray
    marks: Marks
    n_left_out: int


@dataclass(frozen=True, slots=True, eq=False)
class CloneRobust:
    """Places by weights that clones share, beside equal ones; both by unpenalised-in-the-limit fits
    to the same pairs. reward_*, rank_* : (m,). marks : which places differ beyond noise."""

    scheme: str
    weights: FloatArray
    reward_standard: FloatArray
    reward_weighted: FloatArray
    rank_standard: IntArray
    rank_weighted: IntArray
    marks: Marks
    penalty: float


@dataclass(frozen=True, slots=True, eq=False)
class Vendors:
    """Who owns what. labels : int64 (m,); how : where the owners come from.

    gains : for each owner with several entries, what its best entry gains from being the best of
    as many. board : of the owners, one place each. place : int64 (m,), ranks when each owner's best
    entry alone takes a place. n_within : battles between entries of one owner, left out of board.
    """

    how: str
    owners: tuple[str, ...]
    labels: IntArray
    gains: tuple[BestOfN, ...]
    board: Board | NotApplicable
    place: IntArray
    n_within: int


@dataclass(frozen=True, slots=True, eq=False)
class Voting:
    """Rules on margins, and whether each depends on clones of this board.

    sets_from : how clone sets were found; without any, a copy of each of the best items was entered
    and taken out again. independence : rule -> what changed; also for the board's own fit, under
    "board". lottery : float64 (m,), probabilities of the maximal lottery.
    """

    rules: tuple[RuleResult, ...]
    lottery: FloatArray
    sets_from: str
    independence: dict[str, Independence]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Every pair within a component: int64 (k,). counts : (3, k), wins, ties, losses of ``first``.
    probabilities : (3, k), what the fit says of a battle. error : of the difference of rewards.
    seen : bool (k,), compared at all."""

    first: IntArray
    second: IntArray
    counts: FloatArray
    probabilities: FloatArray
    error: FloatArray
    seen: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class LeaderboardFacts:
    """names, ids : of the items of ``unit``. judges : names of the data's annotators. n_within :
    comparisons of two answers of one item. n_small : values of ``by_field`` without a board.
    by : boards of the values of ``by_field``, largest first, with the battles of each.
    """

    unit: str
    unit_reason: str
    names: tuple[str, ...]
    ids: tuple[str, ...]
    n_within: int
    resampled: Choice
    level: float
    board: Board
    path: PriorPath
    pairs: Pairs
    controlled: Controlled | NotApplicable
    position: Effect | NotApplicable
    position_by_judge: tuple[Effect, ...] | NotApplicable
    competence: Competence | NotApplicable
    judges: tuple[str, ...]
    clones: CloneRobust | NotApplicable
    vendors: Vendors | NotApplicable
    voting: Voting | NotApplicable
    by_field: str
    by: tuple[Board, ...] | NotApplicable
    n_small: int
