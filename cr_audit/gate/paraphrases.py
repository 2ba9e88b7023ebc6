"""New answers that say what another answer to the prompt says, in other words. Facts only.

The closeness of an answer is the largest score (``clones.paraphrase_score``) that it reaches with
another answer to its prompt, copies in words aside, old or new. It knows nothing of who is new. If
the batch is a random part of the answers to a prompt, those of its answers that are new are a
random draw of it, whatever the answers say; if its prompts are a random part of all prompts, so are
the prompts. Both are tested, each exactly. Closeness looks at the answers to all prompts that are
clones of each other; who is drawn with whom goes by the prompt itself: the answers to a new prompt
are no random part of those to its clone ("... turn him in: yes" beside "... no").

Within prompts that have old and new answers. Answers whose closeness is among the largest share
``LEVELS`` of all of these prompts are *close*. Of n answers to a prompt m are new; K are close, k
of them new. Its statistic is the smallest hypergeometric tail over the levels,

    p_g = min over levels of P(X >= k),    X ~ Hypergeometric(n, K, m)

and its p-value the share of draws, with new answers drawn at random within every prompt, in which
the smallest p_g of all prompts is as small (Westfall and Young's single-step minP; the draw that
was seen counts as one).

Across prompts, of those that are wholly new and those that are wholly old (``MAX_OLD`` of them,
drawn where there are more); new ones that are clones of each other are one, and so are old ones,
lest copies under a prompt each be one answer to each. p_g is the smallest binomial tail of k close
ones of n at the share that is close, over the levels. If M of N prompts are new and r have a p_g as
small, then the chance that one of these r is new is 1 - C(N - r, M) / C(N, M).

What follows: of a prompt with few old answers the first test can say little (8 new ones of 10, all
close: 1 in 5), and the second needs many old prompts. Both hold their level exactly where the new
answers (the first) or the new prompts (the second) are drawn at random. In a split by rows, how
often an answer is compared decides whether it is new, which is near to that and not the same; a
batch that brings other prompts or other models by plan is no such draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.clones.find import CloneReport
from cr_audit.clones.paraphrase import Answers, Scored, prompt_groups
from cr_audit.clones.paraphrase_sentences import Encode
from cr_audit.engine.tails import binom, hypergeom

LEVELS = (0.2, 0.05, 0.01, 0.002)
"""Shares of the answers that are called close: a few copies among many answers stand out at the
small ones, many copies among few at the large ones."""
N_DRAWS = 4_999
MAX_OLD = 500
_ROUND = 1e-9
_OLD, _NEW, _MIXED = 1, 2, 3


@dataclass(frozen=True, slots=True, eq=False)
class Retold:
    """Close answers to one prompt. new, old : int64, alternatives, ascending; first : the new one
    with the largest closeness, ``score``. n_new, n_old : answers to the prompt. p_value : over all
    prompts of the test."""

    new: IntArray
    old: IntArray
    first: int
    score: float
    n_new: int
    n_old: int
    p_value: float


@dataclass(frozen=True, slots=True, eq=False)
class BatchParaphrases:
    """within, across : prompts by p-value, those below 1 alone, or why the test says nothing.
    n_within, n_across : prompts that were tested."""

    within: tuple[Retold, ...] | NotApplicable
    across: tuple[Retold, ...] | NotApplicable
    n_within: int
    n_across: int


def batch_paraphrases(
    texts: list[str | None],
    prompt_of: IntArray,
    clones: CloneReport | NotApplicable,
    is_new: BoolArray,
    encode: Encode | None,
    rng: np.random.Generator,
) -> BatchParaphrases | NotApplicable:
    """texts, prompt_of, is_new : of all alternatives, old and new; clones : of all of them.

    Time is that of scoring the pairs of the prompts tested (about 0.35 ms a pair of answers of 25
    sentences); memory that of their sentences.
    """
    if isinstance(clones, NotApplicable):
        return clones
    if not is_new.any():
        return NotApplicable("the batch holds no new answer")
    group = prompt_groups(prompt_of, clones)
    said = np.array([bool(t and t.strip()) for t in texts])
    prompts = prompts_to_test(np.where(said, group, -1), is_new, rng, prompt=prompt_of)
    if not prompts.used.any():
        return NotApplicable("no prompt of the batch has answers to compare")
    where = np.where(prompts.used[group] & said, group, -1)
    unknown = np.full(group.size, -1, np.int64)
    answers = Answers.of_alternatives(texts, where, clones.labels.labels, unknown)
    close = closeness(Scored(answers, encode), rng)
    return tested(answers, close, is_new, prompts, rng)


@dataclass(frozen=True, slots=True, eq=False)
class Prompts:
    """part : int64 (alternatives,), what each is drawn with, -1 = left out: a prompt with old and
    new answers, or the prompts of one group that have new ones alone, or old ones alone. Of the
    parts, bool: mixed, fresh and known (a sample of them). used : bool (groups,), of which any pair
    of answers is compared."""

    part: IntArray
    mixed: BoolArray
    fresh: BoolArray
    known: BoolArray
    used: BoolArray


def prompts_to_test(
    group: IntArray,
    is_new: BoolArray,
    rng: np.random.Generator,
    *,
    prompt: IntArray | None = None,
) -> Prompts:
    """group : of each alternative, prompts that are clones counted once, -1 = left out. prompt :
    the prompt itself, that of the group where None."""
    held = np.flatnonzero(group >= 0)
    of = group[held]
    prompt = of if prompt is None else prompt[held]
    _, own = np.unique(of * (int(prompt.max(initial=0)) + 2) + prompt, return_inverse=True)
    new = is_new[held]
    status = 2 * (np.bincount(own[new], minlength=own.size)[own] > 0)
    status += np.bincount(own[~new], minlength=own.size)[own] > 0
    # Prompts with old and new answers stand by themselves, the others of a group together.
    single = np.where(status == _MIXED, own + _MIXED, status)
    keys, first, at = np.unique(
        np.stack([of, single]), axis=1, return_index=True, return_inverse=True
    )
    part = np.full(group.size, -1, np.int64)
    part[held] = at.ravel()
    status = status[first]
    n, total = np.bincount(part[held]), np.bincount(of)[keys[0]] if of.size else np.zeros(0)
    mixed = (status == _MIXED) & (n > 2)
    fresh = (status == _NEW) & (total > 1)
    old = np.flatnonzero((status == _OLD) & (total > 1)) if fresh.any() else np.empty(0, np.int64)
    if old.size > MAX_OLD:
        old = rng.choice(old, MAX_OLD, replace=False)
    known = np.zeros(n.size, np.bool_)
    known[old] = True
    used = np.zeros(int(group.max(initial=-1)) + 1, np.bool_)
    used[keys[0][mixed | fresh | known]] = True
    return Prompts(part, mixed, fresh, known, used)


def tested(
    answers: Answers,
    close: FloatArray,
    is_new: BoolArray,
    prompts: Prompts,
    rng: np.random.Generator,
) -> BatchParaphrases:
    """Both tests. close : of the units of ``answers``; is_new : of the alternatives."""
    new_unit = np.ones(answers.n, np.bool_)
    new_unit[answers.of[(answers.of >= 0) & ~is_new]] = False
    # An answer to several prompts of a group is drawn with the first, an old one with an old one.
    part = np.full(answers.n, -1, np.int64)
    held = np.flatnonzero((answers.of >= 0) & (prompts.part >= 0))[::-1]
    for some in (held[is_new[held]], held[~is_new[held]]):
        part[answers.of[some]] = prompts.part[some]
    units = _Units(answers, close, new_unit, part)
    return BatchParaphrases(
        within=_within(units, prompts.mixed, rng),
        across=_across(units, prompts.fresh, prompts.known),
        n_within=int(prompts.mixed.sum()),
        n_across=int(prompts.fresh.sum() + prompts.known.sum()),
    )


def closeness(scored: Scored, rng: np.random.Generator) -> FloatArray:
    """Largest score with another unit of its group that words do not call a copy, float64 (n,);
    -inf where there is none."""
    first, second = scored.likely(rng)
    near = scored.answers.near
    apart = near[first] != near[second]
    first, second = first[apart], second[apart]
    found = scored.score(first, second)
    out = np.full(scored.answers.n, -np.inf)
    np.maximum.at(out, first, found)
    np.maximum.at(out, second, found)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Units:
    """Distinct texts by prompt; an old alternative makes its unit old. part : see ``Prompts``."""

    answers: Answers
    close: FloatArray
    is_new: BoolArray
    part: IntArray

    def bands(self, rows: IntArray) -> IntArray:
        """For each of these units the number of levels at which it is close, int64."""
        value = self.close[rows]
        ranked = np.sort(value)[::-1]
        out = np.zeros(rows.size, np.int64)
        for level in LEVELS:
            k = int(np.floor(level * rows.size + _ROUND))
            cut = ranked[k] if k < rows.size else -np.inf
            out += value > cut
        return out

    def retold(self, rows: IntArray, p_value: float) -> Retold:
        """rows : the close units of one prompt."""
        answers = self.answers
        part = self.part == self.part[rows[0]]
        new = rows[self.is_new[rows]]
        old = (answers.group == answers.group[rows[0]]) & ~self.is_new
        best = new[int(np.argmax(self.close[new]))]

        def alternatives(units: IntArray) -> IntArray:
            return np.flatnonzero(np.isin(answers.of, units))

        return Retold(
            new=alternatives(new),
            old=alternatives(np.flatnonzero(old & (self.close >= self.close[rows].min()))),
            first=int(np.flatnonzero(answers.of == best)[0]),
            score=float(self.close[best]),
            n_new=int((part & self.is_new).sum()),
            n_old=int(old.sum()),
            p_value=p_value,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Per prompt of a test: units by band 0 .. L, all and new, int64 (prompts, L + 1)."""

    rows: IntArray
    band: IntArray
    prompt: IntArray
    every: IntArray
    new: IntArray


def _table(units: _Units, prompts: BoolArray) -> _Table:
    rows = np.flatnonzero((units.part >= 0) & np.append(prompts, False)[units.part])
    band = units.bands(rows)
    _, prompt = np.unique(units.part[rows], return_inverse=True)
    n, width = int(prompt.max(initial=-1)) + 1, len(LEVELS) + 1
    cell = prompt * width + band
    every = np.bincount(cell, minlength=n * width).reshape(n, width)
    new = np.bincount(cell[units.is_new[rows]], minlength=n * width).reshape(n, width)
    return _Table(rows, band, prompt.astype(np.int64), every, new)


def _at_levels(counts: IntArray) -> IntArray:
    """How many are close at each level, int64 (..., L), from counts by band."""
    out: IntArray = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1][..., 1:]
    return out


def _within(
    units: _Units, mixed: BoolArray, rng: np.random.Generator
) -> tuple[Retold, ...] | NotApplicable:
    if not mixed.any():
        return NotApplicable("no prompt has both old and new answers, three or more together")
    table = _table(units, mixed)
    n, m = table.every.sum(axis=1), table.new.sum(axis=1)
    both = (m > 0) & (m < n)
    total, k = _at_levels(table.every), _at_levels(table.new)
    tail: FloatArray = np.asarray(hypergeom.sf(k - 1, n[:, None], total, m[:, None]))
    seen: FloatArray = np.where(both, tail.min(axis=1), 1.0)
    least = np.ones(N_DRAWS)
    kinds, count = np.unique(
        np.column_stack([table.every, m])[both & (total[:, 0] > 0)], axis=0, return_counts=True
    )
    for kind, times in zip(kinds, count.tolist(), strict=True):
        colours, drawn = kind[:-1], int(kind[-1])
        tails = _tails(colours, drawn)
        for _ in range(times):
            found = _at_levels(rng.multivariate_hypergeometric(colours, drawn, size=N_DRAWS))
            at = tails[np.arange(len(LEVELS)), found]
            np.minimum(least, at.min(axis=1), out=least)
    least = np.sort(least)
    as_small = np.searchsorted(least, seen * (1.0 + _ROUND), side="right")
    p_value: FloatArray = (1.0 + as_small.astype(np.float64)) / (1.0 + N_DRAWS)
    return _retold(units, table, seen, tail, p_value)


def _tails(colours: IntArray, drawn: int) -> FloatArray:
    """P(X >= k) at each level for k = 0 .. drawn, float64 (L, drawn + 1)."""
    total = _at_levels(colours)
    k = np.arange(drawn + 1)
    tail = hypergeom.sf(k[None, :] - 1, int(colours.sum()), total[:, None], drawn)
    out: FloatArray = np.asarray(tail)
    return out


def _across(
    units: _Units, fresh: BoolArray, known: BoolArray
) -> tuple[Retold, ...] | NotApplicable:
    if not fresh.any():
        return NotApplicable("no prompt is new with two answers or more")
    if not known.any():
        return NotApplicable("no prompt of the baseline has two answers and none that are new")
    table = _table(units, fresh | known)
    n, m = table.every.sum(axis=1), table.new.sum(axis=1)
    k = _at_levels(table.every)
    share = k.sum(axis=0) / max(int(n.sum()), 1)
    tail: FloatArray = np.asarray(binom.sf(k - 1, n[:, None], share[None, :]))
    seen: FloatArray = tail.min(axis=1)
    ranked = np.sort(seen)
    r = np.searchsorted(ranked, seen * (1.0 + _ROUND), side="right")
    p_value = np.where(m > 0, _any_of(n.size, int((m > 0).sum()), r), 1.0)
    return _retold(units, table, seen, tail, p_value)


def _any_of(n: int, m: int, r: IntArray) -> FloatArray:
    """1 - C(n - r, m) / C(n, m): that m drawn of n hold one of r."""
    left = np.maximum(n - r - m, 0)
    log = gammaln(n - r + 1) - gammaln(left + 1) - gammaln(n + 1) + gammaln(n - m + 1)
    out: FloatArray = np.where(n - r >= m, -np.expm1(log), 1.0)
    return out


def _retold(
    units: _Units, table: _Table, seen: FloatArray, tail: FloatArray, p_value: FloatArray
) -> tuple[Retold, ...]:
    level = np.argmin(tail, axis=1)
    out = []
    for g in np.argsort(seen, kind="stable").tolist():
        if p_value[g] > 0.5 or seen[g] >= 1.0:
            break
        rows = table.rows[(table.prompt == g) & (table.band > level[g])]
        if units.is_new[rows].any():
            out.append(units.retold(rows, float(p_value[g])))
    return tuple(out)
