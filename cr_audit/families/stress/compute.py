"""From a run to a stress test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.embed.sentences import sentence_encoder
from cr_audit.simulate.stress import MAX_CLONES, N_CLONES, Stress, stress

if TYPE_CHECKING:
    from cr_audit.run import Run


def compute(run: Run) -> Stress:
    """The injections, and the flips where they were asked for; the encoder encodes new texts."""
    return stress(
        run.analysis,
        sentence_encoder(run.encoder, run.cache),
        n_clones=run.options.get("clones", N_CLONES),
        find_flip=run.options.get("find_flip", False),
        max_clones=run.options.get("max_clones", MAX_CLONES),
        progress=run.progress,
    )
