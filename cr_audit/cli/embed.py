"""``cr-audit embed``: the slow part of a scan, on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.commands import Command
from cr_audit.errors import UsageError

if TYPE_CHECKING:
    from cr_audit.reports import Report
    from cr_audit.run import Run


def report(run: Run) -> Report:
    """Put the vectors of all texts into the cache; one sentence about what is there now."""
    from cr_audit.blocks import Prose
    from cr_audit.embed import PrecomputedVectors, embed_texts
    from cr_audit.findings import outcome_of
    from cr_audit.reports import Report
    from cr_audit.wire import document, setting_records
    from cr_audit.wording import plural

    dataset, cache, backend = run.dataset, run.cache, run.encoder
    if cache is None or backend is None or isinstance(backend, PrecomputedVectors):
        raise UsageError(
            "nothing-to-embed",
            "embed fills the cache with vectors of texts",
            next_step="leave out --no-cache, --embeddings and --model none, and give texts",
        )
    texts = [t or "" for t in dataset.alternatives["text"]]
    texts += [t or "" for t in dataset.prompts["text"]]
    embed_texts(backend, texts, cache=cache, progress=lambda d, n: run.progress("embedding", d, n))
    size, n_texts, encoder = cache.size(), len(set(texts)), backend.name
    sentence = (
        f"{plural(n_texts, 'text')} of {encoder} are in the cache, which holds"
        f" {plural(size.n_vectors, 'vector')} in {size.n_bytes / 1e6:,.1f} MB at {size.path}"
    )
    settings = setting_records({"model": run.settings.model}, run.given.sources)
    return Report(
        command="embed",
        blocks=lambda: [Prose((sentence,))],
        document=lambda full: document(
            "embed", settings, {"embedded": {"model": encoder, "n_texts": n_texts}}, []
        ),
        outcome=outcome_of((), (), "never", dataset.report.files[0].path),
    )


COMMAND = Command(
    "embed",
    "Fill the embedding cache, with progress; stop and start it as you like.",
    report,
    examples=("cr-audit embed prefs.jsonl --model all-MiniLM-L6-v2",),
)
