"""Bytes in: files and standard input, hashed as they lie there and decompressed on the way.

A stream is read once, in blocks. Compression is decided by magic bytes, never by the name.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import select
import shlex
import stat
import time
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import zstandard

from cr_audit.errors import InputError
from cr_audit.readers.remote import is_remote, open_remote

STDIN = "-"
HEAD = 1 << 16
"""Bytes looked at before a container is chosen."""
_ZSTD_INPUT = 4096
"""Compressed bytes per step: 4 bytes of zstd may hold 128 KiB, so small steps bound memory."""
_BUFFER = 1 << 20

PIPE_SECONDS = 30.0
"""How long a pipe may lie without a writer: a command before it has started by then."""

Progress = Callable[[int, int], None]
"""Called with (bytes read, bytes in total or 0 if unknown) from time to time."""


class HashingRaw(io.RawIOBase):
    """Passes bytes through, keeping their count and sha256; reports progress every few MiB."""

    def __init__(self, inner: BinaryIO, on_bytes: Callable[[int], None] | None = None) -> None:
        self._inner = inner
        self._sha = hashlib.sha256()
        self._on_bytes = on_bytes
        self.n_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._inner.read(len(buffer))
        n = len(data)
        buffer[:n] = data
        self._sha.update(data)
        self.n_bytes += n
        if n and self._on_bytes is not None:
            self._on_bytes(n)
        return n

    @property
    def sha256(self) -> str:
        """Of the bytes that were read, in hexadecimal."""
        return self._sha.hexdigest()

    def drain(self) -> None:
        """Read what nobody asked for, so that the hash covers the whole file."""
        while self.read(_BUFFER):
            pass


class _ZstdRaw(io.RawIOBase):
    """Decompresses all frames and, unlike the library's stream, refuses a frame cut short."""

    def __init__(self, inner: BinaryIO) -> None:
        self._inner = inner
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._fresh = True
        self._out = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._out:
            if self._frame.eof:
                rest = self._frame.unused_data
                self._frame = zstandard.ZstdDecompressor().decompressobj()
                self._fresh = True
            else:
                rest = b""
            data = rest or self._inner.read(_ZSTD_INPUT)
            if not data:
                if not self._fresh:
                    raise EOFError("zstd frame ended before its end marker")
                return 0
            self._fresh = False
            self._out = self._frame.decompress(data)
        n = min(len(buffer), len(self._out))
        buffer[:n] = self._out[:n]
        self._out = self._out[n:]
        return n


class _Rewound(io.RawIOBase):
    """Serves ``head`` again, then the rest of ``inner``."""

    def __init__(self, head: bytes, inner: BinaryIO) -> None:
        self._head = memoryview(head)
        self._inner = inner

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._head:
            n = min(len(buffer), len(self._head))
            buffer[:n] = self._head[:n]
            self._head = self._head[n:]
            return n
        data = self._inner.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def head_of(stream: BinaryIO, n: int = HEAD) -> tuple[bytes, BinaryIO]:
    """The first ``n`` bytes and a stream that still begins with them."""
    head = stream.read(n)
    return head, io.BufferedReader(_Rewound(head, stream), _BUFFER)


def open_raw(path: str, stdin: BinaryIO | None) -> tuple[BinaryIO, int]:
    """The bytes of a path (``-``: ``stdin``) and their number, 0 if unknown."""
    if path == STDIN:
        if stdin is None:
            raise InputError(
                "no_stdin",
                "standard input was asked for, but there is none here",
                where=STDIN,
                next_step="give a file instead of -",
            )
        return stdin, 0
    if is_remote(path):
        return open_remote(path)
    try:
        handle = _opened(path)
    except FileNotFoundError:
        raise _unopened(path, "file_missing", "no such file", "check the path") from None
    except IsADirectoryError:
        raise _unopened(
            path, "is_directory", "this is a folder, not a file", _files_in(path)
        ) from None
    except PermissionError:
        raise _unopened(path, "no_permission", "not allowed to read it", "chmod +r it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unopened(path, "unreadable", f"cannot be opened: {error}", None) from None
    info = os.fstat(handle.fileno())
    return handle, info.st_size if stat.S_ISREG(info.st_mode) else 0


def _opened(path: str) -> BinaryIO:
    """The file, unbuffered. A pipe into which nobody writes would be waited for without end: it is
    opened without waiting, and given up after ``PIPE_SECONDS``."""
    if not stat.S_ISFIFO(os.stat(path).st_mode):
        return open(path, "rb", buffering=0)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    first = b""
    try:
        end = time.monotonic() + PIPE_SECONDS
        while True:
            try:
                first = os.read(descriptor, HEAD)
            except BlockingIOError:  # somebody has it open for writing
                break
            if first:
                break
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if any(event & select.POLLHUP for _, event in poll.poll(0)):
                break  # who wrote has gone again
            if time.monotonic() > end:
                raise InputError(
                    "pipe_without_writer",
                    f"nobody wrote into this pipe for {PIPE_SECONDS:g} seconds",
                    where=path,
                    next_step="start what writes into it, or name a file",
                )
            time.sleep(0.05)
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return cast(BinaryIO, _Begun(first, open(descriptor, "rb", buffering=0)))


class _Begun(_Rewound):
    """A pipe whose first bytes were read when it was opened."""

    def __init__(self, head: bytes, inner: BinaryIO) -> None:
        super().__init__(head, inner)
        self._pipe = inner

    def fileno(self) -> int:
        return self._pipe.fileno()

    def close(self) -> None:
        if not self.closed:
            self._pipe.close()
        super().close()


SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".ndjson")


def _files_in(path: str) -> str:
    """How to name the data files of a folder, as a shell takes it."""
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return "name the files in it"
    held = {
        s + z: sum(n.lower().endswith(s + z) for n in names)
        for s in SUFFIXES
        for z in ("", ".gz", ".zst")
    }
    commonest = max(held, key=lambda s: held[s])
    folder = shlex.quote(path.rstrip("/") or "/")
    if held[commonest] == 0:
        return "name the files in it; none there is named like JSONL, JSON, CSV, TSV or Parquet"
    return f"name the files in it: {folder}/*{commonest}"


def _unopened(path: str, slug: str, message: str, next_step: str | None) -> InputError:
    return InputError(slug, message, where=path, next_step=next_step)


def decompress(raw: BinaryIO) -> tuple[BinaryIO, str]:
    """The decompressed stream and "gzip", "zstd" or "none", by magic bytes."""
    head, stream = head_of(raw, 4)
    if head[:2] == b"\x1f\x8b":
        return io.BufferedReader(gzip.GzipFile(fileobj=stream), _BUFFER), "gzip"
    if head == b"\x28\xb5\x2f\xfd":
        return io.BufferedReader(_ZstdRaw(stream), _BUFFER), "zstd"
    return stream, "none"
