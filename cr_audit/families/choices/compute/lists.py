"""From a data set to lists: choice sets, ratings of one prompt, and pairs, each as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from cr_audit.arrays import BoolArray, ChoiceSets, FloatArray, IntArray
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.families.choices.facts import ListFacts, Problem, Resample, Source

# Names under which "none of these" stands among the members; it stays a member.
OUTSIDE = frozenset(
    (
        "none",
        "none of these",
        "none_of_these",
        "none of the above",
        "none_of_the_above",
        "no choice",
        "no-choice",
        "no_choice",
        "outside",
        "outside option",
        "opt out",
        "opt-out",
        "neither",
    )
)
# What the reader noted about lists, and what it skipped: see readers.build and readers.lists.
LIST_PROBLEMS = frozenset(
    (
        "single_alternative",
        "duplicate_member",
        "contradictory_member",
        "empty_list",
        "overvote",
        "repeated_candidate",
        "skipped_rank",
        "unknown_label",
        "not_a_number",
        "not_a_list",
        "missing_label",
        "not_ranked",
        "missing_response",
    )
)
MANY_UNITS = 20
# Rows of ballots with all their candidates; beyond, only those whom a ballot names are looked at.
MAX_BALLOT_ROWS = 3_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Lists with at least two members that tell something apart.

    sets : members are positions in the data set's alternatives, in the order of the row.
    share : float64 (k,), the chosen members' part (see ``ChoiceDesign``). source : of each list,
    index into ``sources``. unit : what is independent. file, line : int64 (n,). placed : whether
    the order of members in a row can be the order in which they were shown, list by list.
    """

    sets: ChoiceSets
    share: FloatArray
    source: IntArray
    sources: tuple[tuple[Source, str], ...]
    unit: IntArray
    resample: Resample
    file: IntArray
    line: IntArray
    placed: BoolArray
    outside: BoolArray
    n_all_tied: int

    @property
    def n(self) -> int:
        """Lists."""
        return self.sets.n

    @property
    def sizes(self) -> IntArray:
        """Members of each list: int64 (n,)."""
        return np.diff(self.sets.offsets)

    @property
    def owner(self) -> IntArray:
        """The list of each member: int64 (members,)."""
        return np.repeat(np.arange(self.n, dtype=np.int64), self.sizes)

    def only(self, keep: BoolArray) -> Lists:
        """The lists where ``keep`` (bool (n,)) holds."""
        rows = keep[self.owner]
        s = self.sets
        sets = ChoiceSets(
            s.n_items,
            np.concatenate([[0], np.cumsum(self.sizes[keep])]).astype(np.int64),
            s.members[rows],
            s.rank[rows],
            s.mass[keep],
            s.annotator[keep],
            s.prompt[keep],
        )
        return replace(
            self,
            sets=sets,
            share=self.share[rows],
            source=self.source[keep],
            unit=self.unit[keep],
            file=self.file[keep],
            line=self.line[keep],
            placed=self.placed[keep],
            outside=self.outside[rows],
        )


def lists_of(data: PreferenceDataset, *, aspect: str | None = None) -> Lists:
    """Choice sets, then lists from ratings where there are no choice sets, then pairs.

    Pairs that were made from choice sets or ratings on request do not count again. aspect : which
    aspect of the ratings orders them; None: ``overall_score`` or the only one, else their mean.
    """
    parts = [_from_sets(data)]
    if data.choice_sets.is_empty():
        parts.append(_from_ratings(data, aspect))
    made = data.report.noted.get("pairs_from_choice_sets", 0)
    made += data.report.noted.get("pairs_from_ratings", 0)
    parts.append(_from_pairs(data, data.comparisons.height - made))
    return _joined(data, [p for p in parts if p is not None])


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    source: Source
    by: str
    sizes: IntArray
    members: IntArray
    rank: IntArray
    mass: FloatArray
    annotator: IntArray
    prompt: IntArray
    file: IntArray
    line: IntArray
    placed: BoolArray


def _from_sets(data: PreferenceDataset) -> _Part | None:
    if data.choice_sets.is_empty():
        return None
    sets, frame = data.choice_set_arrays(), data.choice_sets
    owner = np.repeat(np.arange(sets.n), np.diff(sets.offsets))
    named = np.bincount(owner, sets.rank >= 0, minlength=sets.n)
    choices = bool(np.all(named == 1))
    schemas = sorted({s.name for s in data.report.schemas})
    if schemas == ["ballots"]:
        sets = _whole_ballots(data, sets)
    sizes = np.diff(sets.offsets)
    return _Part(
        source=Source.CHOICE if choices else Source.RANKING,
        by=", ".join(schemas),
        sizes=sizes,
        members=sets.members,
        rank=sets.rank,
        mass=sets.mass,
        annotator=sets.annotator,
        prompt=sets.prompt,
        file=frame["file"].to_numpy().astype(np.int64),
        line=frame["line"].to_numpy(),
        placed=np.ones(sets.n, np.bool_),
    )


def _whole_ballots(data: PreferenceDataset, sets: ChoiceSets) -> ChoiceSets:
    """Ballots with every candidate of their election: who is not named was offered all the same,
    and stands below those who are. Unchanged where that would take too many rows."""
    prompt_of = data.alternatives["prompt"].to_numpy().astype(np.int64)
    universe = np.bincount(prompt_of, minlength=data.n_prompts)
    total = int(universe[sets.prompt].sum())
    if total > MAX_BALLOT_ROWS:
        return sets
    order = np.argsort(prompt_of, kind="stable")
    starts = np.concatenate([[0], np.cumsum(universe)])
    sizes = universe[sets.prompt]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    ramp = np.arange(total) - np.repeat(offsets[:-1], sizes)
    members = order[np.repeat(starts[sets.prompt], sizes) + ramp]
    place = np.empty(prompt_of.size, np.int64)
    place[order] = np.arange(order.size)
    place -= starts[prompt_of]
    rank = np.full(total, -1, np.int64)
    owner = np.repeat(np.arange(sets.n), np.diff(sets.offsets))
    rank[offsets[owner] + place[sets.members]] = sets.rank
    return ChoiceSets(sets.n_items, offsets, members, rank, sets.mass, sets.annotator, sets.prompt)


def _from_ratings(data: PreferenceDataset, aspect: str | None) -> _Part | None:
    """One list per prompt and annotator: members by score, the highest first."""
    if data.ratings.is_empty():
        return None
    frame = data.ratings
    aspects = frame["aspect"].unique().sort().to_list()
    wanted = aspect or next((a for a in ("overall_score", "score") if a in aspects), None)
    if wanted is None and len(aspects) == 1:
        wanted = aspects[0]
    by = wanted or f"mean of {', '.join(aspects)}"
    if wanted is not None:
        frame = frame.filter(pl.col("aspect") == wanted)
    means = frame.group_by("alternative", "annotator", maintain_order=True).agg(
        pl.col("score").mean(), pl.col("file").first(), pl.col("line").first()
    )
    scored = (
        means.with_columns(prompt=data.alternatives["prompt"].gather(means["alternative"]))
        .sort("prompt", "annotator", "alternative", maintain_order=True)
        .with_columns(
            rank=(-pl.col("score")).rank("dense").over("prompt", "annotator").cast(pl.Int64) - 1,
            size=pl.len().over("prompt", "annotator"),
        )
        .filter(pl.col("size") >= 2)
    )
    if scored.is_empty():
        return None
    lists = scored.group_by("prompt", "annotator", maintain_order=True).agg(
        pl.len().alias("size"), pl.col("file").first(), pl.col("line").min()
    )
    n = lists.height
    return _Part(
        source=Source.RATINGS,
        by=by,
        sizes=lists["size"].to_numpy().astype(np.int64),
        members=scored["alternative"].to_numpy().astype(np.int64),
        rank=scored["rank"].to_numpy().astype(np.int64),
        mass=np.ones(n),
        annotator=lists["annotator"].to_numpy().astype(np.int64),
        prompt=lists["prompt"].to_numpy().astype(np.int64),
        file=lists["file"].to_numpy().astype(np.int64),
        line=lists["line"].to_numpy().astype(np.int64),
        placed=np.zeros(n, np.bool_),
    )


def _from_pairs(data: PreferenceDataset, n: int) -> _Part | None:
    if n <= 0:
        return None
    c = data.comparisons.head(n)
    first = c["winner_first"].to_numpy().astype(np.int64)
    winner, loser = c["winner"].to_numpy().astype(np.int64), c["loser"].to_numpy().astype(np.int64)
    tie = c["outcome"].to_numpy() == 0.5
    turned = first == 0
    members = np.stack([np.where(turned, loser, winner), np.where(turned, winner, loser)], 1)
    rank = np.stack([turned, ~turned], 1).astype(np.int64)
    rank[tie] = 0
    return _Part(
        source=Source.PAIRS,
        by=", ".join(sorted({s.name for s in data.report.schemas})),
        sizes=np.full(n, 2, np.int64),
        members=members.ravel(),
        rank=rank.ravel(),
        mass=c["mass"].to_numpy().astype(np.float64),
        annotator=c["annotator"].to_numpy().astype(np.int64),
        prompt=c["prompt"].to_numpy().astype(np.int64),
        file=c["file"].to_numpy().astype(np.int64),
        line=c["line"].to_numpy().astype(np.int64),
        placed=first >= 0,
    )


def _joined(data: PreferenceDataset, parts: list[_Part]) -> Lists:
    def put(name: str, kind: type) -> np.ndarray:
        found = [getattr(p, name) for p in parts]
        return np.concatenate([*found, np.zeros(0, kind)]).astype(kind)

    sizes = put("sizes", np.int64)
    n = sizes.size
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rank = _without_rest(put("rank", np.int64), offsets)
    share, tells = _chosen(rank, offsets)
    sets = ChoiceSets(
        n_items=data.n_alternatives,
        offsets=offsets,
        members=put("members", np.int64),
        rank=rank,
        mass=put("mass", np.float64),
        annotator=put("annotator", np.int64),
        prompt=put("prompt", np.int64),
    )
    resample, unit = _units(sets)
    lists = Lists(
        sets=sets,
        share=share,
        source=np.repeat(np.arange(len(parts)), [p.sizes.size for p in parts]).astype(np.int64),
        sources=tuple((p.source, p.by) for p in parts),
        unit=unit,
        resample=resample,
        file=put("file", np.int64),
        line=put("line", np.int64),
        placed=put("placed", np.bool_),
        outside=_outside(data)[sets.members],
        n_all_tied=0,
    )
    return replace(lists.only(tells), n_all_tied=int(n - tells.sum()))


def _without_rest(rank: IntArray, offsets: IntArray) -> IntArray:
    """Of lists of two places, best and rest, the rest as not ranked: that it was not chosen is all
    that is known of it, and a tie among it is no judgement."""
    if rank.size == 0:
        return rank
    sizes = np.diff(offsets)
    last = np.maximum.reduceat(rank, offsets[:-1])
    n_rest = np.add.reduceat((rank == 1).astype(np.int64), offsets[:-1])
    rest = np.repeat((last == 1) & (n_rest >= 2), sizes) & (rank == 1)
    return np.where(rest, -1, rank)


def _chosen(rank: IntArray, offsets: IntArray) -> tuple[FloatArray, BoolArray]:
    """Each member's part of the choice, and the lists that tell members apart."""
    n = offsets.size - 1
    sizes = np.diff(offsets)
    if n == 0:
        return np.zeros(0), np.zeros(0, np.bool_)
    best: BoolArray = rank == np.repeat(_best(rank, offsets), sizes)
    count = np.add.reduceat(best.astype(np.float64), offsets[:-1])
    share = best / np.repeat(np.maximum(count, 1.0), sizes)
    return share, (count > 0) & (count < sizes)


def _best(rank: IntArray, offsets: IntArray) -> IntArray:
    """The best rank of each list; a list in which nothing is ranked has none (-2)."""
    ranked = np.where(rank < 0, np.iinfo(np.int64).max, rank)
    best = np.minimum.reduceat(ranked, offsets[:-1])
    return np.where(best == np.iinfo(np.int64).max, -2, best)


def _units(sets: ChoiceSets) -> tuple[Resample, IntArray]:
    """Annotators where there are many, else prompts where lists share them, else lists."""
    n = sets.n
    for name, labels in ((Resample.ANNOTATOR, sets.annotator), (Resample.PROMPT, sets.prompt)):
        known = labels >= 0
        if n and known.all():
            count = np.unique(labels).size
            if MANY_UNITS <= count < n or (name is Resample.ANNOTATOR and count == n):
                return name, np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return Resample.LIST, np.arange(n, dtype=np.int64)


def _outside(data: PreferenceDataset) -> BoolArray:
    """bool (n_alternatives,): the member is "none of these", by its whole name or text."""
    frame = data.alternatives
    name = pl.coalesce("model", "key", "text").str.to_lowercase().str.strip_chars()
    return frame.select(name.is_in(list(OUTSIDE)).fill_null(False)).to_series().to_numpy()


def list_facts(data: PreferenceDataset, lists: Lists) -> ListFacts:
    """What the lists look like: sizes, choices, rankings, ties, and where they come from."""
    s = lists.sets
    sizes, n = lists.sizes, lists.n
    owner = lists.owner
    ranked = np.bincount(owner, s.rank >= 0, minlength=n)
    seen = s.rank >= 0
    tiers = np.unique(np.stack([owner[seen], s.rank[seen]]), axis=1)[0]
    distinct = np.bincount(tiers, minlength=n)
    chosen = np.bincount(owner, lists.share > 0, minlength=n)
    values, counts = np.unique(sizes, return_counts=True)
    single = (ranked == 1) | (sizes == 2)
    offered = np.bincount(owner, lists.outside, minlength=n) > 0
    return ListFacts(
        n=n,
        n_pairs=int((sizes == 2).sum()),
        sizes=tuple((int(v), int(c)) for v, c in zip(values, counts, strict=True)),
        n_choices=int((single & (chosen == 1)).sum()),
        n_several=int((chosen > 1).sum()),
        n_full=int((~single & (chosen == 1) & (ranked == sizes)).sum()),
        n_partial=int((~single & (chosen == 1) & (ranked < sizes)).sum()),
        n_tied=int((distinct < ranked).sum()),
        n_all_tied=lists.n_all_tied,
        n_outside_offered=int(offered.sum()),
        n_outside_chosen=int(np.unique(owner[lists.outside & (lists.share > 0)]).size),
        n_annotators=len(data.annotators),
        n_prompts=int(np.unique(s.prompt[s.prompt >= 0]).size),
        resample=lists.resample,
        n_units=int(np.unique(lists.unit).size),
        orders=tuple(
            (source, int((lists.source == i).sum()), by)
            for i, (source, by) in enumerate(lists.sources)
        ),
        problems=_problems(data),
    )


def _problems(data: PreferenceDataset) -> tuple[Problem, ...]:
    counted: dict[str, int] = {}
    tables: tuple[Mapping[str, int], ...] = (data.report.skipped_by_reason, data.report.noted)
    for table in tables:
        for reason, n in table.items():
            if reason in LIST_PROBLEMS:
                counted[reason] = counted.get(reason, 0) + n
    places: dict[str, list[str]] = {}
    for issue in data.report.examples:
        places.setdefault(issue.reason, []).append(f"{issue.file}:{issue.line}")
    return tuple(
        Problem(reason, n, tuple(dict.fromkeys(places.get(reason, ()))))
        for reason, n in sorted(counted.items())
    )
