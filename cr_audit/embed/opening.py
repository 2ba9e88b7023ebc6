"""From the name of an encoder to the encoder."""

from __future__ import annotations

from pathlib import Path

from cr_audit.embed.backends import Backend, Notice, Precision
from cr_audit.errors import UsageError

DEFAULT_MODEL = "all-MiniLM-L6-v2"


def open_backend(
    name: str,
    *,
    cache_dir: Path | None = None,
    precision: Precision = "float32",
    workers: int | None = None,
    notice: Notice | None = None,
) -> Backend:
    """The encoder that ``name`` stands for. Loads no weights until something is encoded.

    name :
        ``lexical`` (hashed character n-grams), ``static`` (static vectors distilled from
        all-MiniLM-L6-v2), ``static:MODEL`` (the same from another model), or a
        sentence-transformers MODEL: the path of a folder, ``all-MiniLM-L6-v2``, or a hub name.
    cache_dir :
        Where a distilled table is kept; None distils anew each time.
    precision :
        Arithmetic of the transformer; bfloat16 is faster on processors that have it, and coarser.
    workers :
        Batches computed side by side; None: one for each core. Never changes a result.
    notice :
        Told before a model is fetched from the network or distilled.

    Errors: ComputeError ``model-not-found`` (with the three ways to get one), ``model-checksum``,
    ``model-refused``; UsageError ``precision-not-applicable``.
    """
    say = notice or (lambda sentence: None)
    if name == "lexical" or name == "static" or name.startswith("static:"):
        if precision != "float32":
            raise UsageError(
                "precision-not-applicable",
                f"precision {precision} belongs to transformer models, not to {name}",
                next_step="leave the precision away, or name a transformer model",
            )
        if name == "lexical":
            from cr_audit.embed.lexical import LexicalBackend

            return LexicalBackend()
        from cr_audit.embed.static import open_static

        source = name.partition(":")[2] or DEFAULT_MODEL
        return open_static(name, source, cache_dir=cache_dir, workers=workers, notice=say)
    from cr_audit.embed.sources import find_model
    from cr_audit.embed.transformer import TransformerBackend

    return TransformerBackend(
        name, find_model(name, notice=say), precision=precision, workers=workers
    )
