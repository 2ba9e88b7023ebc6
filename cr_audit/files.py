"""Writing files whole or not at all, and standard output to the last byte."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from cr_audit.errors import ComputeError


def write_whole(content: bytes | Iterable[bytes], path: Path, *, option: str) -> None:
    """Put ``content``, whole or in pieces, at ``path``: it is written to a new private file in the
    same folder, which takes the place of ``path`` at the end. A reader sees the old file or the new
    one; a failure leaves the old one and nothing beside it. A link at ``path`` is replaced, never
    followed.

    option : the one that named the file, for the message. Raises ComputeError if it cannot be
    written. A device or a pipe is written to as it is.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with os.fdopen(_open_device(path), "wb") as device:
                device.writelines(_pieces(content))
            return
        replace_file(content, path)
    except OSError as error:
        raise _cannot(path, f"{option} FILE", error) from error


PIPE_SECONDS = 30.0
"""How long a pipe may lie without a reader."""


def _open_device(path: Path) -> int:
    """A device or a pipe for writing; OSError where nobody reads the pipe for ``PIPE_SECONDS``."""
    if not stat.S_ISFIFO(path.stat().st_mode):
        return os.open(path, os.O_WRONLY)
    end = time.monotonic() + PIPE_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > end:
                raise OSError(
                    errno.ENXIO, f"nobody read from this pipe for {PIPE_SECONDS:g} seconds"
                ) from error
            time.sleep(0.05)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def replace_file(content: bytes | Iterable[bytes], path: Path) -> None:
    """The same, raising OSError."""
    with _replacing(path) as out:
        out.writelines(_pieces(content))


def _pieces(content: bytes | Iterable[bytes]) -> Iterable[bytes]:
    return [content] if isinstance(content, bytes) else content


@contextlib.contextmanager
def whole_file(path: Path, *, option: str, value: str = "FILE") -> Iterator[BinaryIO]:
    """``write_whole`` piece by piece: what the block writes takes the place of ``path`` when it
    ends, and nothing does where it fails. value : what the option takes, for the message."""
    try:
        with _replacing(path) as out:
            yield out
    except OSError as error:
        raise _cannot(path, f"{option} {value}", error) from error


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A new private file in the folder of ``path`` that takes its place where the block ends."""
    handle, part = tempfile.mkstemp(prefix=f".{path.name[:60]}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.chmod(part, _mode_of(path))
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def check_place(path: Path, *, option: str) -> None:
    """Raise the ComputeError of ``write_whole`` for a place where no file can be written, before
    anything is computed for it: no folder there, a folder of that name, or no right to write."""
    named = f"{option} FILE"
    if path.is_dir():
        raise _cannot(path, named, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    if not path.parent.is_dir():
        raise _cannot(path, named, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _cannot(path, named, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _cannot(path: Path, option: str, error: OSError) -> ComputeError:
    return ComputeError(
        "cannot-write",
        f"the file cannot be written: {error.strerror}",
        where=str(path),
        next_step=f"choose another {option}",
    )


def _mode_of(path: Path) -> int:
    """Permissions of the file that is replaced, or those that a new file would get."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


_SIGNS = '─- ▌| …~ →> ≻> ▲^ ▼v ◀< –- —- −- “" ”" ₀0 ₁1 ₂2 ²2 ³3 ⁷7 ·. ×x'
_WORDS = {"±": "+-", "½": "1/2", "√": "sqrt ", "λ": "lambda", "τ": "tau", "ρ": "rho", "Σ": "sum "}
STAND_INS = {pair[0]: pair[1] for pair in _SIGNS.split()} | _WORDS
"""What a console that lacks a sign of a report for people is given in its place (a pipe on Windows
is cp1252 or cp437, LC_ALL=C is ASCII), of the same width where that can be."""
_BRAILLE = range(0x2801, 0x2900)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """Signs of our own by ASCII; any other by its code, as ``backslashreplace`` does."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    made = []
    for c in error.object[error.start : error.end]:
        known = "*" if ord(c) in _BRAILLE else STAND_INS.get(c)
        made.append(c.encode("ascii", "backslashreplace").decode() if known is None else known)
    return "".join(made), error.end


codecs.register_error("cr-audit.people", _stand_in)


def write_stdout(text: str | Iterable[str], *, people: bool = False) -> None:
    """Every byte of a text, whole or in pieces, or an error: an unbuffered stream may take a part
    of what it is given.

    people : a report for them, whose signs a poor console may be given in ASCII (``STAND_INS``).
    Otherwise what the stream cannot hold is written by its code, which JSON reads back.

    A reader that goes away (``| head``) has what it wanted: the rest is not written, and that is no
    error. Raises ComputeError where standard output cannot take it (closed, or a full disk, say).
    """
    try:
        if sys.stdout is None:
            raise OSError(9, "it is closed")
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        errors = "cr-audit.people" if people else "backslashreplace"
        sys.stdout.flush()
        out = getattr(sys.stdout, "buffer", None)
        for part in [text] if isinstance(text, str) else text:
            if out is None:  # a stream of texts that somebody put in its place
                sys.stdout.write(part)
                continue
            rest = memoryview(part.encode(encoding, errors))
            while rest:
                written = out.write(rest)
                rest = rest[len(rest) if written is None else written :]
        if out is not None:
            out.flush()
    except BrokenPipeError:
        discard_stdout()
    except (OSError, ValueError) as error:
        discard_stdout()
        reason = getattr(error, "strerror", None) or str(error)
        raise ComputeError(
            "cannot-write",
            f"standard output cannot be written: {reason}",
            next_step="write the report to a file with -o FILE",
        ) from error


def discard_stdout() -> None:
    """What is still buffered goes nowhere, so that the interpreter does not stumble over it."""
    if sys.stdout is None:
        return
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def write_stderr(line: str) -> None:
    """One line for people; where standard error is closed or full, nobody can be told."""
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)
