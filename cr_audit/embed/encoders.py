"""What an encoder is, and the registry of them.

An encoder is a class beside its backend and a line below, or an object that somebody else's program
registers. The first one that claims a name opens it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cr_audit.embed.backends import Backend, Notice, Precision, Progress
from cr_audit.embed.precomputed import PrecomputedVectors
from cr_audit.registry import Registry


@dataclass(frozen=True, slots=True)
class Opening:
    """How an encoder is opened.

    cache_dir : where a distilled table is kept; None makes it anew each time. precision :
    arithmetic of a transformer. workers : batches computed side by side, None = one for each core;
    never changes a result. notice : told before a model is fetched or distilled.
    progress : told (tokens done, all tokens) while one is distilled. device : "auto", "cpu" or
    "cuda", for encoders that have ``devices`` beyond the CPU.
    """

    cache_dir: Path | None
    precision: Precision
    workers: int | None
    notice: Notice
    progress: Progress | None = None
    device: str = "auto"


class Encoder(Protocol):
    """One way to vectors.

    name, summary : as ``--model`` names it, and in one phrase. precisions : arithmetic that it can
    be asked for.
    """

    name: str
    summary: str
    precisions: tuple[Precision, ...]

    def claims(self, model: str) -> bool:
        """Whether ``model``, as the user wrote it, is for this encoder."""
        ...

    def open(self, model: str, how: Opening) -> Backend | PrecomputedVectors:
        """Loads no weights until something is encoded."""
        ...


ENCODERS: Registry[Encoder] = Registry("encoder")
ENCODERS.register("lexical", "cr_audit.embed.lexical:LEXICAL")
ENCODERS.register("static", "cr_audit.embed.static:STATIC")
ENCODERS.register("precomputed", "cr_audit.embed.precomputed:PRECOMPUTED")
FALLBACK = "transformer"
"""Takes every name that no other claims: a folder, or a name on the hub."""
ENCODERS.register(FALLBACK, "cr_audit.embed.transformer:TRANSFORMER")


def encoder_of(model: str) -> Encoder:
    """The first that claims ``model``, whoever registered it; the fallback comes last."""
    for name in ENCODERS.names:
        if name != FALLBACK and ENCODERS.get(name).claims(model):
            return ENCODERS.get(name)
    return ENCODERS.get(FALLBACK)
