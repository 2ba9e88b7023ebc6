"""Encoders behind one protocol. Heavy imports happen inside the functions that need them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from cr_audit.arrays import Float32Array
from cr_audit.errors import UsageError

Progress = Callable[[int, int], None]
"""Called with (done, total) from time to time; the unit is texts."""

Notice = Callable[[str], None]
"""Called with one plain sentence: something slow or unusual is about to happen, or happened."""

Precision = Literal["float32", "bfloat16"]

DEFAULT_MODEL = "all-MiniLM-L6-v2"


class Backend(Protocol):
    """Turns texts into unit vectors.

    name : what the user typed or would type to get it; dimension : d;
    fingerprint : changes whenever any output could change (weights, windows, pooling, versions).

    A vector depends on its text and the backend alone: not on the other texts of the call, their
    order, or the number of threads. :func:`cr_audit.embed.embed_texts` and the cache rely on that.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Float32Array:
        """float32 (len(texts), d), every row of unit length (an empty text: the zero vector)."""
        ...


def open_backend(
    name: str,
    *,
    cache_dir: Path | None = None,
    precision: Precision = "float32",
    n_threads: int | None = None,
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
    n_threads :
        Threads of the transformer; None: one per usable core. Never changes a result.
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
        return open_static(name, source, cache_dir=cache_dir, n_threads=n_threads, notice=say)
    from cr_audit.embed.sources import find_model
    from cr_audit.embed.transformer import TransformerBackend

    return TransformerBackend(
        name, find_model(name, notice=say), precision=precision, n_threads=n_threads
    )
