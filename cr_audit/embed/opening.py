"""From the name of an encoder to the encoder."""

from __future__ import annotations

import os
from pathlib import Path

from cr_audit.embed.backends import Backend, Notice, Precision, Progress
from cr_audit.embed.encoders import Opening, encoder_of
from cr_audit.embed.precomputed import PrecomputedVectors
from cr_audit.errors import InputError, UsageError


def refuse_own_model(name: str, folder: Path, source: str) -> None:
    """Raise InputError where ``name`` is a file or folder inside the checkout that holds
    ``folder``: a batch that brings its own encoder decides what counts as a copy.

    source : the settings file that named it, or "flag": where another branch's policy judges, the
    checkout may hold a folder of the name that was meant. A link counts by where it stands and
    where it leads.
    """
    kind, _, path = name.partition(":")
    if kind not in ("static", "precomputed") or not path:
        path = name
    try:
        place = folder / Path(path).expanduser()
        if not os.path.lexists(place):
            return
        folder = folder.resolve()
        root = next((p for p in (folder, *folder.parents) if (p / ".git").exists()), folder)
        inside = Path(os.path.abspath(place)).is_relative_to(root)
        inside = inside or place.resolve().is_relative_to(root)
    except (OSError, ValueError, RuntimeError):  # no path of this machine: a name, if anything
        return
    if inside:
        raise InputError(
            "own-model",
            "a model of that name lies inside the checkout, and a batch does not bring its own"
            if source == "flag"
            else "a settings file names a model that lies inside the checkout",
            where="--model" if source == "flag" else source,
            found=f"model = {name!r}",
            next_step="say --allow-model-folder if it may judge"
            if source == "flag"
            else "name it on the command line with --model, or say --allow-model-folder",
        )


def open_vectors(
    name: str,
    *,
    cache_dir: Path | None = None,
    precision: Precision = "float32",
    workers: int | None = None,
    notice: Notice | None = None,
    progress: Progress | None = None,
    device: str = "auto",
) -> Backend | PrecomputedVectors:
    """The encoder that ``name`` stands for, or vectors that the user brings.

    name :
        ``lexical`` (hashed character n-grams), ``static`` (static vectors distilled from
        all-MiniLM-L6-v2), ``static:MODEL`` (the same from another model), ``precomputed:FILE``
        (``open_precomputed``), a name that an encoder registered with ``ENCODERS`` claims, or a
        sentence-transformers MODEL: the path of a folder, ``all-MiniLM-L6-v2``, or a hub name.
    cache_dir, precision, workers, notice, progress, device :
        See ``Opening``.

    Errors: ComputeError ``model-not-found`` (with the three ways to get one), ``model-checksum``,
    ``model-refused``; UsageError ``precision-not-applicable``,
    ``device-not-applicable``; those of ``open_precomputed``.
    """
    encoder = encoder_of(name)
    if precision not in encoder.precisions:
        raise UsageError(
            "precision-not-applicable",
            f"precision {precision} belongs to transformer models, not to {name}",
            next_step="leave the precision away, or name a transformer model",
        )
    if device == "cuda" and device not in getattr(encoder, "devices", ("cpu",)):
        raise UsageError(
            "device-not-applicable",
            f"the encoder {name} does not run on a GPU",
            found="--device cuda",
            next_step="leave --device out, or name a transformer model with --model",
        )
    say = notice or (lambda sentence: None)
    return encoder.open(name, Opening(cache_dir, precision, workers, say, progress, device))


def open_backend(
    name: str,
    *,
    cache_dir: Path | None = None,
    precision: Precision = "float32",
    workers: int | None = None,
    notice: Notice | None = None,
    progress: Progress | None = None,
    device: str = "auto",
) -> Backend:
    """``open_vectors`` for what can encode new texts; UsageError ``not-an-encoder`` otherwise."""
    opened = open_vectors(
        name,
        cache_dir=cache_dir,
        precision=precision,
        workers=workers,
        notice=notice,
        progress=progress,
        device=device,
    )
    if isinstance(opened, PrecomputedVectors):
        raise UsageError(
            "not-an-encoder",
            f"{name} holds vectors of known texts and cannot encode others",
            next_step="name an encoder: static, lexical or a sentence-transformers model",
        )
    return opened
