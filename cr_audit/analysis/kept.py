"""Results kept between runs: a function's result by the content of all that it was given.

An entry's name is a digest of the name of the function, every input down to the last byte of its
arrays and texts, the seed, ``FORMAT`` and the versions of cr-audit and numpy. So there is no rule
for when an entry is stale: other inputs have another name, and an old entry is never asked for
again. A hit is what the function would have returned; reports are the same bytes with and without.

One file per entry, written beside its place and moved there whole, so that a killed process leaves
either no entry or a complete one. A checksum guards it; what is damaged is computed again, with a
notice. No pickle: a tree of plain values and of the classes in ``_CLASSES``, with arrays and
frames as bytes after it. All entries together stay below ``MAX_BYTES``: those used longest ago go.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from cr_audit import __version__, engine
from cr_audit.arrays import Groups, NotApplicable
from cr_audit.clones.calibration import EncoderCosines
from cr_audit.clones.find import CloneReport, Cluster, Neighbours
from cr_audit.clones.growing import KnownPairs
from cr_audit.clones.in_blocks import PairsOfGroups
from cr_audit.clones.meaning import Centred, GraphRecord, MeaningGraph
from cr_audit.clones.meaning_growing import KnownGraph
from cr_audit.clones.nearest import NearestGraph
from cr_audit.clones.noise import NoisePairs
from cr_audit.clones.pairs import TextPairs
from cr_audit.data.dataset import (
    FileRead,
    PreferenceDataset,
    ReadReport,
    RowIssue,
    SchemaMatch,
    Selection,
)
from cr_audit.embed.backends import Notice
from cr_audit.embed.cache import refuse_odd
from cr_audit.models.kinds.find import Kind as KindOfAnswer
from cr_audit.models.kinds.find import Kinds
from cr_audit.texts import Texts
from cr_audit.weights.estimates import Weights
from cr_audit.weights.growing import Nearest
from cr_audit.weights.per_draw import PerDraw
from cr_audit.weights.scope import WeightsByPrompt

T = TypeVar("T")

NOT_OURS = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    OverflowError,
    pl.exceptions.PolarsError,
)
"""Raised by a result whose checksum is right and whose format is not."""
FORMAT = 9
MAX_BYTES = 1_000_000_000
"""Two baselines of 100,000 rows took 14 and 75 MB, each batch against them up to 2 MB."""
_MAGIC = b"crAkept1"
_CHECK, _ALIGN = 16, 64
_STALE_SECONDS = 3600.0
_TEXTS_AT_ONCE = 4096
_CLASSES: dict[str, type[Any]] = {
    c.__name__: c
    for c in (
        Centred,
        CloneReport,
        Cluster,
        EncoderCosines,
        FileRead,
        GraphRecord,
        Groups,
        KindOfAnswer,
        Kinds,
        KnownGraph,
        KnownPairs,
        MeaningGraph,
        Nearest,
        NearestGraph,
        Neighbours,
        NoisePairs,
        NotApplicable,
        PairsOfGroups,
        PerDraw,
        PreferenceDataset,
        ReadReport,
        RowIssue,
        SchemaMatch,
        Selection,
        TextPairs,
        Weights,
        WeightsByPrompt,
    )
}


class Kept:
    """Entries ``kept-*.bin`` in ``folder``. Where the folder cannot be read or written, a notice
    says so once and everything is computed."""

    def __init__(self, folder: Path, *, notice: Notice | None = None) -> None:
        self._folder = Path(folder)
        self._notice = notice or (lambda sentence: None)
        self._told = False

    def call(
        self,
        name: str,
        inputs: Sequence[Any],
        compute: Callable[[], T],
        *,
        sound: Callable[[T], bool] = lambda result: True,
    ) -> T:
        """``compute()``, or what it returned when it was given the same ``inputs`` before.

        inputs : everything that the result depends on: None, bool, int, float, str, arrays, and
        sequences and mappings of these. sound : whether a computed result belongs to ``inputs``.
        """
        return self.entry(entry_name(name, inputs), compute, sound=sound)

    def entry(
        self,
        name: str,
        compute: Callable[[], T],
        *,
        sound: Callable[[T], bool] = lambda result: True,
    ) -> T:
        """As ``call``, by the name that ``entry_name`` gives."""
        path = self._path(name)
        found = self._load(path)
        if found is not None:
            return found[0]  # type: ignore[no-any-return]
        result = compute()
        if sound(result):
            self._store(path, sealed(result))
        return result

    def find(self, name: str) -> Any:
        """What is kept under a name that ``entry_name`` gave, None where there is nothing."""
        found = self._load(self._path(name))
        return None if found is None else found[0]

    def put(self, name: str, result: Any) -> None:
        """Keep ``result`` under a name, in the place of what stood there: for what may only save
        time, since no digest says that it belongs to what is asked."""
        self._store(self._path(name), sealed(result))

    def _path(self, name: str) -> Path:
        return self._folder / f"kept-{name}.bin"

    def _load(self, path: Path) -> tuple[Any] | None:
        try:
            refuse_odd(path)
            if path.exists() and path.stat().st_size > MAX_BYTES:
                raise OSError(0, f"{path.name} is larger than {MAX_BYTES:,} bytes")
            raw = bytearray(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            self._unusable(error)
            return None
        if not is_sound(raw):
            self._notice(f"the cache entry {path.name} is damaged; it is computed again")
            return None
        try:
            os.utime(path)
        except OSError as error:  # somebody else's pruning, or a folder that is read only
            self._unusable(error)
        try:
            return (unsealed(raw),)
        except NOT_OURS:
            # Its checksum is right, so it was written by something else: not by this format.
            self._notice(f"the cache entry {path.name} is not of this format; it is computed again")
            return None

    def _store(self, path: Path, content: Sequence[bytes]) -> None:
        part = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, part = tempfile.mkstemp(prefix="kept-", suffix=".part", dir=self._folder)
            with os.fdopen(handle, "wb") as out:
                out.writelines(content)
            os.replace(part, path)
            self._prune()
        except OSError as error:
            if part is not None:
                Path(part).unlink(missing_ok=True)
            self._unusable(error)

    def _prune(self) -> None:
        """Remove the entries used longest ago, and what killed processes left behind."""
        held = [(s, p) for p in self._folder.glob("kept-*.bin") if (s := _stat(p)) is not None]
        total = sum(s.st_size for s, _ in held)
        for s, p in sorted(held, key=lambda entry: (entry[0].st_mtime_ns, entry[1].name)):
            if total <= MAX_BYTES:
                break
            p.unlink(missing_ok=True)
            total -= s.st_size
        for p in self._folder.glob("kept-*.part"):
            found = _stat(p)
            if found is not None and time.time() - found.st_mtime > _STALE_SECONDS:
                p.unlink(missing_ok=True)

    def _unusable(self, error: OSError) -> None:
        if not self._told:
            self._notice(f"results cannot be kept in {self._folder}: {error.strerror}")
        self._told = True


def _stat(path: Path) -> os.stat_result | None:
    """Of a regular file; None where it is gone (another process prunes as well) or is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _checksum(body: bytes | bytearray | memoryview) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK).digest()


def entry_name(name: str, inputs: Sequence[Any]) -> str:
    """The digest by which a result is found."""
    return digest_of([FORMAT, __version__, np.__version__, name, list(inputs)])


def digest_of(value: Any) -> str:
    """Of a value that can be an input: its kind and all of its bytes."""
    h = hashlib.blake2b(digest_size=16, person=b"cr-audit kept")
    _feed(h, value)
    return h.hexdigest()


def _n_bytes(text: str | None) -> int:
    if text is None:
        return -1
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _feed(h: hashlib.blake2b, value: Any) -> None:
    """Every value with its kind and length before it, so that no two inputs run together."""
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogatepass")
        h.update(b"s%d:" % len(raw) + raw)
    elif isinstance(value, Texts):
        h.update(b"T" + value.digest())  # asked for by several stages, worked out once
    elif isinstance(value, np.ndarray):
        h.update(f"a{value.dtype.str}{value.shape}:".encode())
        for here in engine.blocks_of_rows(value) if value.ndim > 1 else (...,):
            h.update(np.ascontiguousarray(value[here]).reshape(-1).view(np.uint8).data)
    elif value is None or isinstance(value, bool | int | float):
        h.update(f"{type(value).__name__}{value!r};".encode())
    elif isinstance(value, Mapping):
        _feed(h, sorted(value.items()))
    elif isinstance(value, Sequence) and _are_texts(value):
        # Many at once: one by one, 100,000 texts would take as long as what is looked for.
        _feed(h, np.fromiter(map(_n_bytes, value), np.int64, len(value)))
        h.update(b"t")
        for at in range(0, len(value), _TEXTS_AT_ONCE):
            some = [v for v in value[at : at + _TEXTS_AT_ONCE] if v is not None]
            h.update(b"".join([v.encode("utf-8", "surrogatepass") for v in some]))
    elif isinstance(value, Sequence):
        h.update(b"l%d:" % len(value))
        for item in value:
            _feed(h, item)
    else:
        raise TypeError(f"{type(value).__name__} cannot be an input of a kept result")


def _are_texts(values: Sequence[Any]) -> bool:
    return {type(v) for v in values} in ({str}, {str, type(None)})


def sealed(value: Any) -> tuple[bytes, bytes]:
    """A result as bytes, after their checksum."""
    body = _encoded(value)
    return _MAGIC + _checksum(body), body


def is_sound(raw: bytearray) -> bool:
    """Whether these are, to the last byte, what ``sealed`` gave, joined."""
    start = len(_MAGIC) + _CHECK
    if raw[: len(_MAGIC)] != _MAGIC:
        return False
    return bytes(raw[len(_MAGIC) : start]) == _checksum(memoryview(raw)[start:])


def unsealed(raw: bytearray) -> Any:
    """The result again; one of ``NOT_OURS`` is raised where something else wrote it."""
    return _decoded(raw)


def _encoded(value: Any) -> bytes:
    blobs: list[bytes] = []
    position = 0

    def placed(raw: bytes) -> list[int]:
        nonlocal position
        at = position
        gap = -len(raw) % _ALIGN
        blobs.extend((raw, b"\0" * gap))
        position += len(raw) + gap
        return [at, len(raw)]

    def tree(x: Any) -> Any:
        if isinstance(x, np.generic):
            x = x.item()
        if x is None or isinstance(x, str | bool | int | float):
            return x
        if isinstance(x, np.ndarray):
            array = np.ascontiguousarray(x)
            return {"array": [array.dtype.str, list(x.shape), *placed(array.tobytes())]}
        if isinstance(x, pl.DataFrame):
            out = io.BytesIO()
            x.write_ipc(out)
            return {"frame": placed(out.getvalue())}
        if dataclasses.is_dataclass(x) and _CLASSES.get(type(x).__name__) is type(x):
            fields = [tree(getattr(x, f.name)) for f in dataclasses.fields(x)]
            return {"class": [type(x).__name__, fields]}
        if isinstance(x, Mapping):
            return {"map": [[tree(k), tree(v)] for k, v in x.items()]}
        if isinstance(x, tuple):
            return {"tuple": [tree(y) for y in x]}
        raise TypeError(f"{type(x).__name__} cannot be kept")

    head = json.dumps(tree(value)).encode("ascii")
    start = len(_MAGIC) + _CHECK + 8 + len(head)
    return b"".join((len(head).to_bytes(8, "little"), head, b"\0" * (-start % _ALIGN), *blobs))


def _decoded(raw: bytearray) -> Any:
    start = len(_MAGIC) + _CHECK + 8
    n = int.from_bytes(raw[start - 8 : start], "little")
    first = start + n + (-(start + n) % _ALIGN)
    view = memoryview(raw)

    def value(x: Any) -> Any:
        if not isinstance(x, dict):
            return x
        ((kind, of),) = x.items()
        if kind == "array":
            dtype, shape, at, size = of
            return np.frombuffer(view[first + at : first + at + size], dtype).reshape(shape)
        if kind == "frame":
            at, size = of
            return pl.read_ipc(io.BytesIO(view[first + at : first + at + size]))
        if kind == "class":
            return _CLASSES[of[0]](*(value(y) for y in of[1]))
        if kind == "map":
            return {value(k): value(v) for k, v in of}
        return tuple(value(y) for y in of)

    return value(json.loads(bytes(view[start : start + n])))
