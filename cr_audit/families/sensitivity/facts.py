"""What an audit of sensitivity finds: numbers, items by index, and reasons; no prose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cr_audit.analysis.choice import Unit
from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.models.sensitivity.chains import Holder
from cr_audit.models.sensitivity.flips import FlipInterval

FitName = Literal["standard", "weighted"]
Question = Literal["leader", "top", "pair"]
ChangedUnit = Literal["comparison", "annotator", "prompt", "clone cluster"]


@dataclass(frozen=True, slots=True)
class FragilePair:
    """A pair of items compared ``n_direct`` times at most thinly, and the chain that predicts it.

    start, middle, end : item indices. p_head = p(start ≻ middle), p_tail = p(middle ≻ end), shares
    with half a vote on each side; p_chain : what they imply for p(start ≻ end). sensitivity : M.
    head_error, chain_error : standard errors of p_head and p_chain. harm : M times head_error.
    n_head, n_head_annotators, n_head_prompts : what stands behind p_head, 0 where unknown.
    fitted : p̂(start ≻ end) of the standard fit. influence : ∂p̂/∂p_head at the fit to shares with
    half a vote on each side. fitted_error : standard error of p̂, √Σ (∂p̂/∂p_e · error of p_e)² over
    all preferences e: M of the fit times the error, by which pairs are ranked. fitted_weighted,
    influence_weighted : of the weighted fit.
    n_copies : size of the larger clone cluster among start and middle (1: no clones).
    """

    start: int
    middle: int
    end: int
    p_head: float
    p_tail: float
    p_chain: float
    sensitivity: float
    head_error: float
    chain_error: float
    harm: float
    n_direct: float
    n_head: int
    n_head_annotators: int
    n_head_prompts: int
    fitted: float
    influence: float
    fitted_error: float
    fitted_weighted: float | NotApplicable
    influence_weighted: float | NotApplicable
    n_copies: int
    head_rows: tuple[str, ...]

    @property
    def error_dominates(self) -> bool:
        """Whether the votes' error moves p_chain more than a change of 0.05 in p_head would."""
        return self.chain_error > 0.05 * self.sensitivity


@dataclass(frozen=True, slots=True)
class StrongPreference:
    """A dominant preference of few votes. winner, loser : items. p : share with half votes.
    n_hanging : how many fragile pairs (of those listed) hang on it."""

    winner: int
    loser: int
    p: float
    n_rows: int
    n_annotators: int
    n_prompts: int
    n_hanging: int
    n_copies: int
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Flip:
    """One answer, one way to change votes. k : of "top"; items : of "pair", or the answer's own.

    component : of the ranking, 0 the largest; n_comparisons : in it. rows : the comparisons of the
    set as "file:line", at most MAX_ROWS; names : of the units where these have names (annotators).
    """

    question: Question
    k: int
    items: tuple[int, ...]
    component: int
    n_comparisons: int
    fit: FitName
    unit: ChangedUnit
    interval: FlipInterval
    rows: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class NextVotes:
    """Comparisons to collect, in order. leader, rival : by the votes alone (count-weighted, a wide
    prior), and who is the most likely to be better. first, second : items; fall : of the expected
    number of others that are truly better, by each. probability_wrong : before, and expected after
    all of them. width : of the interval of the gap of the two now; n_until : votes until it is
    expected to be at most ``wanted``, or why there is no such number."""

    leader: int
    rival: int
    first: IntArray
    second: IntArray
    fall: FloatArray
    probability_wrong: float
    probability_wrong_after: float
    width: float
    wanted: float
    n_until: int | NotApplicable


@dataclass(frozen=True, slots=True)
class Decision:
    """The best answer to a prompt and a rival, as ids and texts, and the interval of the number of
    comparisons whose removal turns the two. rows : those found, as file:line."""

    prompt: str
    above: str
    below: str
    above_text: str
    below_text: str
    lower: int
    upper: int | NotApplicable
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decisions:
    """Within-prompt decisions of a linear reward: which answer to a prompt is best.

    n : prompts with two answers or more. n_comparisons : of the fit. penalty : of the fit.
    n_hanging : (k, how many decisions are not proved to stand when any k comparisons are removed),
    ascending k. most_fragile : of the decisions that were searched, the smallest gaps first.
    """

    n: int
    n_comparisons: int
    penalty: float
    n_hanging: tuple[tuple[int, int], ...]
    most_fragile: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SensitivityFacts:
    """unit, reason : what is ranked and why. names, ids : of the items. penalty : of both fits.

    rewards : float64 (n_items,) of the standard fit, NaN without data. weighted : its weights in
    words, or why there is no weighted fit. threshold : M. n_sensitive : pairs above it in all.
    n_dominant : preferences strong enough to be a head at this threshold, n_dominant_thin : of
    those, resting on few votes.
    """

    unit: Unit
    reason: str
    names: tuple[str, ...]
    ids: tuple[str, ...]
    n_comparisons: int
    n_components: int
    penalty: float
    penalty_reason: str
    rewards: FloatArray
    weighted: str | NotApplicable
    threshold: float
    fragile: tuple[FragilePair, ...]
    n_sensitive: int
    n_skipped: int
    strong: tuple[StrongPreference, ...]
    n_dominant: int
    n_dominant_thin: int
    holders: tuple[Holder, ...]
    annotators: tuple[str, ...]
    flips: tuple[Flip, ...] | NotApplicable
    next_votes: NextVotes | NotApplicable
    decisions: Decisions | NotApplicable
