"""From a run to paraphrases, where a false-positive rate was asked for."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.analysis.embedding import NO_TEXT
from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.clones.models import model_clones
from cr_audit.clones.paraphrase import (
    Answers,
    Paraphrases,
    Scored,
    find_paraphrases,
    prompt_groups,
)
from cr_audit.embed.sentences import sentence_encoder
from cr_audit.families.paraphrases.facts import ParaphraseFacts
from cr_audit.run import Run

OFF = "not looked for; --paraphrase-fpr 0.01 does"


def compute(run: Run) -> ParaphraseFacts:
    """Every pair of answers to one prompt, and the threshold that independent ones give."""
    asked = run.settings.paraphrase_fpr
    if not asked:
        return ParaphraseFacts(run.analysis, asked, NotApplicable(OFF))
    return ParaphraseFacts(run.analysis, asked, _found(run, asked))


def _found(run: Run, fpr: float) -> Paraphrases | NotApplicable:
    clones, data = run.analysis.clones, run.analysis.dataset
    if isinstance(clones, NotApplicable) or not data.has_text:
        return NotApplicable(NO_TEXT)
    answers = Answers.of_alternatives(
        data.alternatives["text"].to_list(),
        prompt_groups(data.prompt_of, clones),
        clones.labels.labels,
        _sources(run.analysis),
    )
    run.progress("finding paraphrases", 0, 0)
    encode = sentence_encoder(run.encoder, run.cache)
    return find_paraphrases(Scored(answers, encode), fpr, run.stream("paraphrases"))


def _sources(analysis: Analysis) -> IntArray:
    """The model of each alternative, models that copy one another counted once; -1 = unknown."""
    models, names = analysis.dataset.models()
    clones = analysis.clones
    if isinstance(clones, NotApplicable) or len(names) < 2:
        return models.labels
    prompt = analysis.dataset.prompt_of
    alike = model_clones(models.labels, prompt, clones.labels, len(names)).labels
    return np.where(models.labels >= 0, np.append(alike, -1)[models.labels], -1)
