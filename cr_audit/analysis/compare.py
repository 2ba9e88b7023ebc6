"""The table of weighting schemes (docs/methods.md, "Weights"), measured on the user's own data."""

from __future__ import annotations

from cr_audit.analysis.compose import duplicate_labels, stream, text_codes_of
from cr_audit.analysis.facts import Analysis
from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.errors import ComputeError
from cr_audit.weights.compare import SchemeTable, compare_weights
from cr_audit.weights.contexts import paired_contexts


def compare_schemes(analysis: Analysis) -> tuple[SchemeTable, str]:
    """Every scheme under the same changes of the data, and what the groups were.

    Groups are models where at least two are named, else prompts where there are several, else
    clone clusters. Raises ComputeError where there are no vectors.
    """
    data, embedding = analysis.dataset, analysis.embedding
    if isinstance(embedding, NotApplicable):
        raise ComputeError(
            "no-vectors",
            f"schemes cannot be compared without vectors: {embedding.reason}",
            next_step="choose an encoder with --model, or give --embeddings",
        )
    prompt_of = data.prompt_of
    clones: IntArray | None = None
    if not isinstance(analysis.clones, NotApplicable):
        clones = analysis.clones.labels.labels
    models, names = data.models()
    if len(names) >= 2:
        groups, what = models.labels, "models"
    elif data.n_prompts > 1 or clones is None:
        groups, what = prompt_of, "prompts"
    else:
        groups, what = clones, "clone clusters"
    table = compare_weights(
        paired_contexts(embedding.prompt_vectors, embedding.response_vectors, prompt_of),
        groups,
        clusters=clones,
        duplicates=duplicate_labels(prompt_of, text_codes_of(data)),
        rng=stream(analysis.settings, 4),
    )
    return table, what
