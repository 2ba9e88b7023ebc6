"""Settings of the protected branch: read from git's own store, never from the files beside a batch.

``--policy-from origin/main`` reads cr-audit.toml (or the table in pyproject.toml, or the file after
``--config``) as it stands in that commit. A reference that ends in ``.toml`` is a file instead.
The files after ``--known`` and ``--ledger`` come from there too, where they lie in the repository.
Contents are taken with ``git cat-file``, which runs no filter that a checkout could name.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cr_audit.cli.config import MAX_BYTES, NAMES, Config, config_of, read_config
from cr_audit.errors import InputError

_SECONDS = 60
MAX_CARRIED = 200_000_000
"""Bytes of a file of known findings or a ledger; their readers refuse less."""
_POINTER, _POINTER_BYTES = b"version https://git-lfs.github.com/spec/v1\n", 1024
_OPERATORS = re.compile(r"[~^:]|@\{")
_HEXADECIMAL = re.compile(r"[0-9a-f]{4,39}", re.IGNORECASE)
_ABSENT = "git has nothing of that name"


@dataclass(frozen=True, slots=True)
class Protected:
    """config : the settings that judge. reference : as given; commit : its id, "" for a file.
    known : the file of known findings as it stands there; None where it lies outside the
    repository or a file was named, and is read as it is. ledger : likewise; empty where that
    commit holds none, and one is begun."""

    config: Config
    reference: str
    commit: str
    known: bytes | None = None
    ledger: bytes | None = None


def read_protected(
    reference: str, given: Path | None, known: Path | None, ledger: Path | None = None
) -> Protected:
    """The settings that ``reference`` holds. given : the path after ``--config``, for a commit.

    Raises InputError where git, the commit or a named file is missing, or what stands there cannot
    be read. A commit without any settings file judges by the default profile, and says so.
    """
    if reference.endswith(".toml"):
        path = Path(reference)
        config = read_config(path)
        if not config.where:
            config = Config("", None, None, None, reference)
        return Protected(config, reference, "")
    commit = _commit(reference)
    config = _config_at(reference, commit, given)
    return Protected(
        config,
        reference,
        commit,
        _known_at(reference, commit, known),
        _ledger_at(reference, commit, ledger),
    )


def _config_at(reference: str, commit: str, given: Path | None) -> Config:
    for path in [given] if given else [Path(name) for name in NAMES]:
        where = f"{reference}:{path}"
        content = _blob(commit, path, where)
        if content is None:
            continue
        config = config_of(content, path, where, where)
        if config is not None:
            return config
    if given is not None:
        raise InputError(
            "no-config",
            "the settings file does not exist in that commit",
            where=f"{reference}:{given}",
            next_step="merge it there first, or check the path after --config",
        )
    return Config(name=reference, path=None, where=f"{reference}, which holds no settings file")


def _known_at(reference: str, commit: str, known: Path | None) -> bytes | None:
    """The known findings of the protected branch: those of the batch's branch would waive it."""
    if known is None or not _in_repository(known):
        return None
    where = f"{reference}:{known}"
    content = _blob(commit, known, where, MAX_CARRIED)
    if content is None:
        raise InputError(
            "no-known-findings",
            "the file of known findings does not exist in that commit",
            where=where,
            next_step="merge it there first; what a batch brings itself is not known",
        )
    return content


def _ledger_at(reference: str, commit: str, ledger: Path | None) -> bytes | None:
    """The ledger of the protected branch: a batch's branch would empty or shorten it. A ledger that
    only the batch brings counts for nothing."""
    if ledger is None or not _in_repository(ledger):
        return None
    return _blob(commit, ledger, f"{reference}:{ledger}", MAX_CARRIED) or b""


def altered_baseline(reference: str, commit: str, files: Iterable[str]) -> tuple[str, ...]:
    """Which of these files the commit holds otherwise, or not at all. A file of git-lfs counts by
    the digest in its pointer; what lies outside the repository by nothing."""
    out = []
    for name in files:
        path = Path(name)
        try:
            if path.is_file() and _in_repository(path) and not _same(commit, path):
                out.append(name)
        except (OSError, _GitError) as error:
            raise _unread(f"{reference}:{name}", str(error) or _ABSENT) from error
    return tuple(out)


def _same(commit: str, path: Path) -> bool:
    inside = os.path.relpath(path).replace(os.sep, "/")
    listed = _git("ls-tree", "-z", commit, "--", inside)
    if not listed:
        return False
    mode, kind, name = listed.partition(b"\t")[0].decode("ascii").split(" ")
    if kind != "blob" or mode == "120000":
        return False
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        as_blob = hashlib.new("sha1" if len(name) == 40 else "sha256", usedforsecurity=False)
        as_blob.update(f"blob {size}\0".encode("ascii"))
        plain = hashlib.sha256()
        while block := file.read(1 << 20):
            as_blob.update(block)
            plain.update(block)
    if as_blob.hexdigest() == name:
        return True
    if int(_git("cat-file", "-s", name)) > _POINTER_BYTES:
        return False
    pointer = _git("cat-file", "blob", name)
    return pointer.startswith(_POINTER) and f"oid sha256:{plain.hexdigest()}\n".encode() in pointer


def tracked_cache(folder: Path) -> bool:
    """Whether files of a cache are part of the checkout it lies in: whoever wrote the branch wrote
    them. True too where git cannot say."""
    for place in {Path(os.path.abspath(folder)), folder.resolve()}:
        root = next((p for p in place.parents if (p / ".git").exists()), None)
        if root is None:
            continue
        inside = place.relative_to(root).as_posix()
        try:
            if _git("-C", str(root), "ls-files", "-z", "--", inside):
                return True
        except _GitError:
            return True
    return False


def _in_repository(path: Path) -> bool:
    """Whether a path lies in the checkout, by its name or by where links lead."""
    top = Path(_git("rev-parse", "--show-toplevel").decode("utf-8", "surrogateescape").strip())
    return Path(os.path.abspath(path)).is_relative_to(top) or path.resolve().is_relative_to(
        top.resolve()
    )


def _refuse_ambiguous(reference: str) -> None:
    """A tag goes before a branch of the same name in git's own order, and whoever may push a tag
    (``git fetch`` follows them) would choose the policy."""
    base = _OPERATORS.split(reference)[0]
    kinds = [f"refs/{kind}/{base}" for kind in ("remotes", "heads", "tags")]
    try:
        listed = _git("for-each-ref", "--format=%(refname) %(objectname) %(*objectname)", *kinds)
    except _GitError:
        return  # what is no name of git is told below
    named: dict[str, str] = {}
    for line in listed.decode("utf-8", "surrogateescape").splitlines():
        name, *objects = line.split(" ")
        if name in kinds:  # not what lies below a folder of that name
            named[name] = objects[-1] or objects[0]
    hexadecimal = _HEXADECIMAL.fullmatch(base) is not None and bool(named)
    if len(set(named.values())) > 1 or hexadecimal:
        likeliest = min(named, key=kinds.index)
        also = ", and an abbreviated commit may be meant" if hexadecimal else ""
        raise InputError(
            "ambiguous-policy",
            f"several things have the name that the policy is to come from: "
            f"{', '.join(named)}{also}",
            where=reference,
            next_step=f"write the whole name, for example --policy-from {shlex.quote(likeliest)}",
        )


def _commit(reference: str) -> str:
    _refuse_ambiguous(reference)
    try:
        found = _git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", reference + "^{commit}"
        )
    except _GitError as error:
        raise InputError(
            "no-policy",
            "the commit that the policy is to come from is not here"
            + (f": {error}" if str(error) else ""),
            where=reference,
            next_step="fetch it first (git fetch --depth=1 origin BRANCH, then --policy-from"
            " FETCH_HEAD), or name a .toml file",
        ) from error
    return found.decode("ascii").strip()


def _blob(commit: str, path: Path, where: str, most: int = MAX_BYTES) -> bytes | None:
    """A file of a commit, by its path from the working folder; None where there is none."""
    inside = os.path.relpath(path).replace(os.sep, "/")
    try:
        listed = _git("ls-tree", "-z", commit, "--", inside)
        if not listed:
            return None
        mode, kind, name = listed.partition(b"\t")[0].decode("ascii").split(" ")
        if kind != "blob" or mode == "120000":
            what = "a link" if mode == "120000" else "a folder"
            raise _unread(where, f"it is {what} in that commit")
        if int(_git("cat-file", "-s", name)) > most:
            raise _unread(where, f"it is larger than {most // 1_000_000} MB")
        return _git("cat-file", "blob", name)
    except _GitError as error:
        raise _unread(where, str(error) or _ABSENT) from error


def _unread(where: str, why: str) -> InputError:
    return InputError(
        "bad-config",
        f"the file cannot be read: {why}",
        where=where,
        next_step="mend it in the protected branch",
    )


class _GitError(Exception):
    """git said no; the text is its first line."""


def _git(*arguments: str) -> bytes:
    command = ["git", "--no-replace-objects", "-c", "core.fsmonitor=false", *arguments]
    # ls-tree takes paths from the working folder; a glob in a name is the name.
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, **quiet},
        )
    except FileNotFoundError as error:
        raise _GitError("git is not installed") from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _GitError(str(error)[:200]) from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _GitError(said[0][:200] if said else "")
    return done.stdout
