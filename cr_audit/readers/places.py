"""What people type for files: paths, folders, quoted patterns, and addresses of data stores.

A folder stands for every data file in it, in the order of their paths; a pattern for the files that
it fits. Links that lead out of the folder, or out of the part of a pattern that is fixed, are not
followed. Whatever is left out is said.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cr_audit.errors import InputError
from cr_audit.readers.remote import is_remote, remote_files
from cr_audit.readers.streams import STDIN, SUFFIXES

PACKED = ("", ".gz", ".zst")
MAX_FILES = 200
"""Of one run: all are opened before the first is read, and a process on macOS may open 256."""
MAX_SEEN = 100_000
"""Names looked at in one folder or by one pattern, so that ``/`` ends."""
MAX_DEPTH = 32
"""Folders below the one that was named."""
_SHOWN = 3
_NO_DATA = "no data file by its name"
_LINKED = "a linked folder"
_CLOSED = "as it cannot be opened"


@dataclass(slots=True)
class Expanded:
    """files : what to read, in order, none twice. skipped : reason -> paths that were left out."""

    files: list[str] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)

    def said(self) -> list[str]:
        """One line a reason, for people."""
        out = []
        for reason, paths in self.skipped.items():
            more = len(paths) - _SHOWN
            names = ", ".join(paths[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
            out.append(f"not read, {reason}: {names}")
        return out


def has_data_suffix(name: str) -> bool:
    """Whether a name is that of a data file: a known suffix, then perhaps .gz or .zst."""
    lower = name.lower()
    return any(lower.endswith(s + z) for s in SUFFIXES for z in PACKED)


def expand(typed: Sequence[str]) -> Expanded:
    """The files that were meant.

    A path that exists is taken as it stands, whatever characters it has; of others ``*``, ``?`` and
    ``[`` make a pattern (``**`` for folders in folders). A path without either is passed on, so
    that the reader says what is wrong with it. Raises InputError where a folder or a pattern has
    no data file, or all together are more than ``MAX_FILES``.
    """
    out = Expanded()
    for one in typed:
        out.files += _files_of(one, out.skipped)
    again = [f for k, f in enumerate(out.files) if f != STDIN and f in out.files[:k]]
    if again and any(_stands_for_several(one) for one in typed):
        out.skipped["as it was named before"] = list(dict.fromkeys(again))
        out.files = list(dict.fromkeys(out.files))
    if len(out.files) > MAX_FILES:
        raise InputError(
            "too_many_files",
            f"{len(out.files):,} files, and at most {MAX_FILES} can be read in one run",
            found=f"{out.files[0]} to {out.files[-1]}",
            next_step="join them first: JSON lines of several files can stand in one",
        )
    return out


def _stands_for_several(typed: str) -> bool:
    return is_remote(typed) or not os.path.lexists(typed) or os.path.isdir(typed)


def _files_of(typed: str, skipped: dict[str, list[str]]) -> list[str]:
    if typed == STDIN:
        return [typed]
    if is_remote(typed):
        return remote_files(typed, has_data_suffix)
    if os.path.isdir(typed):
        found = _in_folder(typed, skipped)
        if not found:
            raise _nothing(typed, "the folder has no data file", skipped)
        return found
    if "\x00" not in typed and not os.path.lexists(typed) and glob.has_magic(typed):
        found = _by_pattern(typed, skipped)
        if not found:
            raise _nothing(typed, "no file fits this pattern", skipped)
        return found
    return [typed]


def _nothing(typed: str, message: str, skipped: dict[str, list[str]]) -> InputError:
    return InputError(
        "no_data_files",
        message,
        where=typed,
        details=tuple(Expanded(skipped=skipped).said()),
        next_step=f"name the files; data files end in {', '.join(SUFFIXES)}, or these and .gz or"
        f" .zst; see what is there: ls {shlex.quote(_fixed(typed))}",
    )


def _in_folder(folder: str, skipped: dict[str, list[str]]) -> list[str]:
    root = os.path.realpath(folder)
    found: list[str] = []
    for path in _walk(folder, skipped):
        kind = _left_out(path, root)
        if kind is None and not has_data_suffix(path):
            kind = _NO_DATA
        if kind is None:
            found.append(path)
        else:
            skipped.setdefault(kind, []).append(path)
    return sorted(found)


def _walk(folder: str, skipped: dict[str, list[str]], depth: int = MAX_DEPTH) -> Iterator[str]:
    """Files of a folder (depth 1) and below, so many folders down. Hidden files and folders are no
    data; linked folders are not entered, so that the walk ends.
    """
    n = 0

    def refuse(error: OSError) -> None:
        skipped.setdefault(_CLOSED, []).append(str(error.filename))

    for here, folders, names in os.walk(folder, onerror=refuse):
        for name in sorted(folders):
            if name.startswith(".") or os.path.islink(os.path.join(here, name)):
                folders.remove(name)
                why = "hidden" if name.startswith(".") else _LINKED
                skipped.setdefault(why, []).append(os.path.join(here, name))
        folders.sort()
        if len(Path(os.path.relpath(here, folder)).parts) >= depth - 1:
            folders.clear()
        for name in sorted(names):
            n += 1
            if n > MAX_SEEN:
                raise InputError(
                    "too_many_names",
                    f"the folder has more than {MAX_SEEN:,} files in it and below",
                    where=folder,
                    next_step="name a folder further down, or the files",
                )
            yield os.path.join(here, name)


def _by_pattern(pattern: str, skipped: dict[str, list[str]]) -> list[str]:
    """Files that fit, found by a walk of its own: the library's enters linked folders. A pattern
    that names no suffix fits data files alone."""
    fixed = _fixed(pattern)
    root = os.path.realpath(fixed)
    wanted = Path(pattern).parts[0 if fixed == "." else len(Path(fixed).parts) :]
    depth = MAX_DEPTH if "**" in wanted else len(wanted)
    any_suffix = "." in wanted[-1]
    found: list[str] = []
    by_the_way: dict[str, list[str]] = {}
    for path in _walk(fixed, by_the_way, depth):
        if not _fits(Path(os.path.relpath(path, fixed)).parts, wanted):
            continue
        kind = _left_out(path, root)
        if kind is None and not any_suffix and not has_data_suffix(path):
            kind = _NO_DATA
        if kind is None:
            found.append(os.path.normpath(path) if fixed == "." else path)
        else:
            skipped.setdefault(kind, []).append(path)
    for kind in (_LINKED, _CLOSED):
        if kind in by_the_way:
            skipped.setdefault(kind, []).extend(by_the_way[kind])
    return sorted(found)


def _fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a path fits a pattern, part by part; ``**`` is any number of parts."""
    # before[j]: the parts so far fit the first j parts of the pattern.
    before = [True]
    for w in wanted:
        before.append(before[-1] and w == "**")
    for part in parts:
        now = [False]
        for j, w in enumerate(wanted):
            if w == "**":
                now.append(before[j + 1] or before[j] or now[j])
            else:
                now.append(before[j] and fnmatch.fnmatchcase(part, w))
        before = now
    return before[-1]


def _left_out(path: str, root: str) -> str | None:
    """Why a file is not read, or None. root : the real path of the folder that was named."""
    if os.path.basename(path).startswith("."):
        return "hidden"
    real = os.path.realpath(path)
    if not Path(real).is_relative_to(root):
        return "a link that leads out of the folder"
    if not os.path.isfile(real):
        return "no file" if os.path.exists(real) else "a link that leads nowhere"
    return None


def _fixed(pattern: str) -> str:
    """The folder before the first part of a pattern that may vary."""
    if os.path.isdir(pattern):
        return pattern
    parts = Path(pattern).parts
    fixed: list[str] = []
    for part in parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return os.path.join(*fixed) if fixed else "."
