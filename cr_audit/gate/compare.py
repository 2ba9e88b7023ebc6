"""What a batch does to its baseline: facts before and after, and every change with its error.

Nothing here judges; ``judge`` turns these facts into findings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cr_audit.analysis import Analysis, Settings, analyse
from cr_audit.analysis.embedding import Progress, embed, embedding_of_part
from cr_audit.analysis.facts import Embedding, UnitResult
from cr_audit.analysis.growing import Growing, Memory
from cr_audit.analysis.kept import Kept
from cr_audit.arrays import BoolArray, IntArray, NotApplicable
from cr_audit.data.dataset import PreferenceDataset, ReadReport
from cr_audit.data.merging import merged, restricted
from cr_audit.embed import PrecomputedVectors, VectorCache
from cr_audit.embed.backends import Backend
from cr_audit.embed.sentences import sentence_encoder
from cr_audit.errors import UsageError
from cr_audit.gate.agreement import Contradictions, Repeats, contradictions, repeats
from cr_audit.gate.behaviour import Behaviour, behaviour
from cr_audit.gate.growth import Growth, growth
from cr_audit.gate.paraphrases import BatchParaphrases, batch_paraphrases
from cr_audit.gate.ranking_change import RankingChange, ranking_change
from cr_audit.models.graph import Dominance
from cr_audit.streams import stream

MIN_REPLICATES = 10


@dataclass(frozen=True, slots=True, eq=False)
class BatchEffect:
    """Everything that is known about one batch.

    before, after : the baseline, and both together; both rank by the unit that suits the baseline.
    old : int64 (alternatives before,), their places in ``after``; is_new : bool (alternatives
    after,); added : bool (comparisons after,), rows of the batch. batch : how the batch was read.
    """

    before: Analysis
    after: Analysis
    batch: ReadReport
    old: IntArray
    is_new: BoolArray
    added: BoolArray
    contradictions: Contradictions | NotApplicable
    repeats: Repeats | NotApplicable
    growth: Growth | NotApplicable
    behaviour: Behaviour | NotApplicable
    paraphrases: BatchParaphrases | NotApplicable
    ranking: RankingChange | NotApplicable
    annotators: tuple[Dominance | NotApplicable, Dominance | NotApplicable]
    prompts: tuple[Dominance | NotApplicable, Dominance | NotApplicable]

    @property
    def unit(self) -> UnitResult:
        """The ranking after the batch, by the first unit."""
        return self.after.units[0]


def _analysed(
    alone: tuple[PreferenceDataset, Embedding | NotApplicable],
    both: tuple[PreferenceDataset, Embedding | NotApplicable],
    old: IntArray,
    settings: Settings,
    *,
    kept: Kept | None,
    progress: Progress | None,
) -> tuple[Analysis, Analysis]:
    """The analyses of the baseline alone and with the batch, by one unit and in one scope.

    alone, both : data and their vectors. old : int64, where each alternative of ``alone`` stands in
    ``both``.
    """
    # Of the baseline alone nothing is shown that a bootstrap gives; the paired one comes later.
    quick = replace(settings, n_replicates=MIN_REPLICATES)
    memory = Memory(kept)
    before = analyse(
        alone[0],
        quick,
        backend=None,
        embedding=alone[1],
        kept=kept,
        growing=Growing(np.arange(alone[0].n_alternatives), memory),
        progress=progress,
    )
    same = replace(settings, unit=before.units[0].unit, scope=before.scope.value)
    after = analyse(
        both[0],
        same,
        backend=None,
        embedding=both[1],
        kept=kept,
        growing=Growing(old, memory, before),
        progress=progress,
    )
    return before, after


def compare(
    baseline: PreferenceDataset,
    batch: PreferenceDataset,
    settings: Settings,
    *,
    backend_for: Callable[[PreferenceDataset], Backend | PrecomputedVectors | None],
    cache: VectorCache | None = None,
    kept: Kept | None = None,
    confidence_level: float = 0.99,
    progress: Progress | None = None,
) -> BatchEffect:
    """Analyse the baseline alone and with the batch, and measure the difference.

    backend_for : opens the encoder for the merged data. confidence_level : of changes; the level in
    ``settings`` is that of the analyses. kept : where clones and weights are kept between runs.
    The order of rows and files leaves no trace in the result.
    """
    if settings.unit == "kind":
        raise UsageError(
            "gate-kind",
            "a batch changes which kinds of answer there are, so a gate cannot rank them",
            next_step="use --unit response, --unit cluster or --unit model",
        )
    both = merged(baseline, batch)
    n_files = len(baseline.report.files)
    alone, old, asked = restricted(both, n_files, baseline.report)
    backend = backend_for(both)
    embedding = embed(both, backend, cache=cache, progress=progress)
    part = (
        embedding
        if isinstance(embedding, NotApplicable)
        else embedding_of_part(alone, old, asked, embedding)
    )
    before, after = _analysed(
        (alone, part), (both, embedding), old, settings, kept=kept, progress=progress
    )
    comparisons = both.comparison_arrays()
    added: BoolArray = both.comparisons["file"].to_numpy() >= n_files
    is_new = np.ones(both.n_alternatives, np.bool_)
    is_new[old] = False
    clones = after.clones
    labels = (
        np.arange(both.n_alternatives)
        if isinstance(clones, NotApplicable)
        else clones.labels.labels
    )
    n_rows = np.bincount(comparisons.winner[added], minlength=both.n_alternatives)
    n_rows += np.bincount(comparisons.loser[added], minlength=both.n_alternatives)
    grown = growth(before, after, old, is_new, n_rows)
    parts = [comparisons.take(~added), comparisons.take(added)]
    return BatchEffect(
        before=before,
        after=after,
        batch=batch.report,
        old=old,
        is_new=is_new,
        added=added,
        contradictions=contradictions(comparisons, added, labels),
        repeats=repeats(comparisons, added),
        growth=grown,
        behaviour=behaviour(
            np.concatenate([comparisons.winner, comparisons.loser]),
            np.concatenate([comparisons.loser, comparisons.winner]),
            np.concatenate([comparisons.outcome, 1.0 - comparisons.outcome]),
            is_new,
            labels,
        ),
        paraphrases=batch_paraphrases(
            both.alternatives["text"].to_list(),
            both.prompt_of,
            clones,
            is_new,
            sentence_encoder(backend, cache),
            stream(settings.seed, "paraphrases in a batch"),
        ),
        ranking=ranking_change(before, after, old, added, is_new, grown, confidence_level),
        annotators=(_largest(parts[0].annotator), _largest(parts[1].annotator)),
        prompts=(_largest(parts[0].prompt), _largest(parts[1].prompt)),
    )


def _largest(labels: IntArray) -> Dominance | NotApplicable:
    known = labels[labels >= 0]
    if known.size == 0:
        return NotApplicable("no row names one")
    index, count = np.unique(known, return_counts=True)
    top = int(np.argmax(count))
    return Dominance(int(index[top]), int(count[top]), int(count[top]) / labels.size, index.size)
