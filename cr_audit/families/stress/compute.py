"""From a run to a stress test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.embed import PrecomputedVectors, embed_texts
from cr_audit.simulate.clone_weights import Encode
from cr_audit.simulate.stress import MAX_CLONES, N_CLONES, Stress, stress

if TYPE_CHECKING:
    from cr_audit.run import Run


def compute(run: Run) -> Stress:
    """The injections, and the flips where they were asked for; the encoder encodes new texts."""
    return stress(
        run.analysis,
        _encode(run),
        n_clones=run.options.get("clones", N_CLONES),
        find_flip=run.options.get("find_flip", False),
        max_clones=run.options.get("max_clones", MAX_CLONES),
        progress=run.progress,
    )


def _encode(run: Run) -> Encode | None:
    """Texts to vectors; None where the vectors are the user's own, or there are none."""
    encoder, cache = run.encoder, run.cache
    if encoder is None or isinstance(encoder, PrecomputedVectors):
        return None
    return lambda texts: embed_texts(encoder, texts, cache=cache)
