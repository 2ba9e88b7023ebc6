"""Parts of a scan's heavy work as files in a folder, made by any machine, in any order.

A stage's work is cut into pieces from the data alone (``engine.pieces``). Part k of n holds the
pieces k, k + n, k + 2 n and so on, in one file ``STAGE-k-of-n-DIGEST.part``: the digest is that of
the stage, of everything its result depends on (texts, settings, seeds), and of the versions of
cr-audit and numpy. A scan takes what it finds under the digest that it asks for, each piece after
its checksum, and computes what is missing. What is damaged, or of other data or settings, is left
out, and the scan says so and why. Parts of different n can stand beside each other.

Stages that compute with floating-point numbers also hold a digest of a few products: where the
processor or its library rounds in another way, a part is another one, since a report of mixed parts
would not be the bytes of any single machine.

A file: ``_MAGIC``, each piece as ``kept.sealed``, a head (JSON) with what it depends on and where
each piece stands, the head's checksum, and its length.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cr_audit import __version__, engine
from cr_audit.analysis.kept import FORMAT, NOT_OURS, digest_of, is_sound, sealed, unsealed
from cr_audit.embed.cache import refuse_odd
from cr_audit.errors import ComputeError
from cr_audit.files import whole_file
from cr_audit.wording import plural

STAGES: Mapping[str, tuple[str, ...]] = {
    "vectors": (),
    "prompts": (),
    "copies": ("prompts",),
    "across": ("prompts", "copies"),
    "cells": ("vectors",),
}
"""Stages that are cut, each with those whose parts must all be there before one of its own is."""
_ROUNDED = ("vectors", "cells")
_MAGIC = b"crApart1"
_CHECK = 16
_END = _CHECK + 8
_MOST_HEAD = 1 << 24
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Part:
    """The k-th of n parts of a stage, 1 <= k <= n."""

    stage: str
    k: int
    n: int

    def pieces(self, n_pieces: int) -> range:
        """Which pieces it has."""
        return range(self.k - 1, n_pieces, self.n)


@dataclass(frozen=True, slots=True)
class Made:
    """What stands in a folder now. there : pieces of the stage in all of its sound files, of
    n_pieces; mine : those of this part. found : whether the part stood there already."""

    path: Path
    n_bytes: int
    mine: int
    there: int
    n_pieces: int
    found: bool


class PartMade(Exception):
    """Nothing is left to do: the part stands in the folder."""

    def __init__(self, made: Made) -> None:
        super().__init__(str(made.path))
        self.made = made


class NotCut(Exception):
    """The data leads to a stage that is not asked for before one that is."""


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    offset: int
    size: int


class FolderOfParts:
    """A shelf (``engine.Shelf``) in a folder.

    say : one line for people. making : the part to be made; a stage that it stands on and that is
    not complete raises ComputeError ``part-too-early``, and the part itself ``PartMade``.
    """

    def __init__(
        self, folder: Path, *, say: Callable[[str], None], making: Part | None = None
    ) -> None:
        self._folder, self._say, self._making = folder, say, making

    def gathered(
        self, stage: str, inputs: Mapping[str, Any], n: int, compute: engine.Compute
    ) -> Iterator[Any]:
        """See ``engine.gathered``."""
        of = _depends_on(stage, inputs, n)
        making = self._making
        if making is not None and making.stage == stage:
            raise PartMade(self._make(making, of, n, compute))
        if making is not None and stage not in STAGES[making.stage]:
            raise NotCut(stage)
        held = self._held(stage, of, n)
        missing = [i for i in range(n) if i not in held]
        if missing and making is not None:
            raise ComputeError(
                "part-too-early",
                f"a part of {making.stage} needs all of {stage} first, and {len(missing)} of"
                f" {plural(n, 'piece')} are not in {self._folder}",
                next_step=f"make all parts of {stage} first, at once with --of {stage} --part 1/1",
            )
        self._say(
            f"{stage}: {n - len(missing)} of {plural(n, 'piece')} are in {self._folder}"
            + (f", {len(missing)} are computed" if missing else "")
        )
        yield from _merged(n, held, missing, compute)

    def _make(self, part: Part, of: Mapping[str, str], n: int, compute: engine.Compute) -> Made:
        mine = part.pieces(n)
        path = self._folder / f"{part.stage}-{part.k}-of-{part.n}-{digest_of(of)}.part"
        held = self._held(part.stage, of, n)
        found = path.exists() and all(i in held for i in mine)
        if not found:
            results = engine.told(part.stage, compute(mine) if mine else (), [1] * len(mine))
            with whole_file(path, option="--parts", value="DIR") as out:
                _write(out, mine, results, of)
            held = self._held(part.stage, of, n)
        return Made(path, path.stat().st_size, len(mine), len(held), n, found)

    def _held(self, stage: str, of: Mapping[str, str], n: int) -> dict[int, _Place]:
        """Where the pieces stand that belong to what is asked for."""
        out: dict[int, _Place] = {}
        others: list[str] = []
        for path in sorted(self._folder.glob(f"{stage}-*.part")):
            try:
                refuse_odd(path)
                head = _head_of(path)
            except OSError as error:
                self._say(f"{path.name} cannot be read and is left out: {error.strerror}")
                continue
            except ValueError:
                self._say(f"{path.name} is damaged and is left out")
                continue
            differ = [name for name in {**of, **head.of} if of.get(name) != head.of.get(name)]
            if differ:
                others.append(f"{path.name} ({', '.join(differ)})")
                continue
            out |= {i: p for i, p in head.pieces.items() if 0 <= i < n and i not in out}
        if others:
            more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
            self._say(
                f"of other data or settings, and left out: {', '.join(others[:_SHOWN])}{more}"
            )
        return out


def _merged(
    n: int, held: Mapping[int, _Place], missing: Sequence[int], compute: engine.Compute
) -> Iterator[Any]:
    computed = iter(compute(missing)) if missing else iter(())
    for i in range(n):
        if i not in held:
            yield next(computed)
            continue
        with held[i].path.open("rb") as file:
            file.seek(held[i].offset)
            yield unsealed(bytearray(file.read(held[i].size)))


def _depends_on(stage: str, inputs: Mapping[str, Any], n: int) -> dict[str, str]:
    """A digest of everything that a result depends on, by name."""
    of = {name: digest_of([value]) for name, value in inputs.items()}
    of |= {
        "stage": stage,
        "pieces": str(n),
        "version of cr-audit": __version__,
        "version of numpy": np.__version__,
        "format": str(FORMAT),
    }
    if stage in _ROUNDED:
        of["arithmetic of the processor"] = _arithmetic()
    return of


@cache
def _arithmetic() -> str:
    """A digest of how products are rounded here."""
    rng = np.random.default_rng(0)
    out = []
    with engine.one_blas_thread():
        for kind in (np.float32, np.float64):
            for rows, inner, columns in ((129, 384, 67), (16, 768, 300), (64, 64, 64)):
                a = rng.standard_normal((rows, inner)).astype(kind)
                out += [a @ rng.standard_normal((inner, columns)).astype(kind), a @ a[0]]
    return digest_of(out)


@dataclass(frozen=True, slots=True)
class _Head:
    of: Mapping[str, str]
    pieces: Mapping[int, _Place]


def _write(out: BinaryIO, mine: range, results: Any, of: Mapping[str, str]) -> None:
    """The results as they come; few are in memory."""
    out.write(_MAGIC)
    at, pieces = len(_MAGIC), []
    for i, result in zip(mine, results, strict=True):
        content = sealed(result)
        out.writelines(content)
        size = sum(map(len, content))
        pieces.append([i, at, size])
        at += size
    head = json.dumps({"of": of, "pieces": pieces}).encode("ascii")
    out.write(head + hashlib.blake2b(head, digest_size=_CHECK).digest())
    out.write(len(head).to_bytes(8, "little"))


def _head_of(path: Path) -> _Head:
    """What a file holds, every piece after its checksum. Raises ValueError for a damaged one."""
    with path.open("rb") as file:
        size = path.stat().st_size
        if size < len(_MAGIC) + _END or file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("no part")
        file.seek(size - _END)
        end = file.read(_END)
        length = int.from_bytes(end[_CHECK:], "little")
        start = size - _END - length
        if length > _MOST_HEAD or start < len(_MAGIC):
            raise ValueError("no head")
        file.seek(start)
        raw = file.read(length)
        if hashlib.blake2b(raw, digest_size=_CHECK).digest() != end[:_CHECK]:
            raise ValueError("another head")
        try:
            head = json.loads(raw)
            of = {str(k): str(v) for k, v in head["of"].items()}
            pieces = {int(i): _Place(path, int(at), int(n)) for i, at, n in head["pieces"]}
        except (*NOT_OURS, AttributeError) as error:
            raise ValueError("no head of a part") from error
        for place in pieces.values():
            if place.offset < len(_MAGIC) or place.size < 0 or place.offset + place.size > start:
                raise ValueError("a piece outside")
            file.seek(place.offset)
            if not is_sound(bytearray(file.read(place.size))):
                raise ValueError("a damaged piece")
    return _Head(of, pieces)
