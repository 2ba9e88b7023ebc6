"""A store of vectors by content, shared by all commands and safe against kill -9.

One sqlite3 file in WAL mode. A vector is found by (backend fingerprint, digest of the canonical
text); every row carries a CRC-32 of its key and bytes, so that a damaged row is noticed and
computed again. The file is set aside, with a notice, when it is damaged or of another version.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import platformdirs

from cr_audit.arrays import BoolArray, Float32Array, IntArray
from cr_audit.embed.backends import Backend, Notice

FILE_NAME = "vectors.sqlite3"
FORMAT = 1
_APPLICATION_ID = 0x63724175  # "crAu"
_WAIT_SECONDS = 60.0
_KEYS_PER_QUERY = 500
_SCHEMA = """
CREATE TABLE backends (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE,
                       name TEXT NOT NULL, dimension INTEGER NOT NULL);
CREATE TABLE vectors (backend INTEGER NOT NULL, text BLOB NOT NULL, crc INTEGER NOT NULL,
                      vector BLOB NOT NULL, PRIMARY KEY (backend, text));
"""


def default_cache_dir() -> Path:
    """``$CR_AUDIT_CACHE``, else the platform's folder for caches with ``cr-audit`` in it."""
    chosen = os.environ.get("CR_AUDIT_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_cache_dir("cr-audit", appauthor=False, opinion=False))


def text_key(canonical_text: str) -> bytes:
    """16 bytes that stand for a canonical text."""
    raw = canonical_text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, digest_size=16, person=b"cr-audit text").digest()


@dataclass(frozen=True, slots=True)
class CacheSize:
    """What a cache folder holds: bytes of all its files, and vectors by backend name."""

    path: Path
    n_bytes: int
    n_vectors: int
    by_backend: tuple[tuple[str, int], ...]


class VectorCache:
    """Vectors on disk, in ``folder/vectors.sqlite3``. Opened on first use; a context manager.

    Processes may share one: readers never wait, writers wait for each other up to a minute.
    A commit is complete or absent after a crash; a loss of power may undo the last commits but
    leaves the file intact (WAL with synchronous=NORMAL). Not for use by several threads.

    Nothing depends on it: where the folder or the file cannot be used (read only, full, locked, of
    another owner, no regular file), a notice says so once and everything is computed.
    """

    def __init__(self, folder: Path, *, notice: Notice | None = None) -> None:
        self.path = Path(folder) / FILE_NAME
        self._notice = notice or (lambda sentence: None)
        self._db: sqlite3.Connection | None = None
        self._off = False
        self._ids: dict[str, int] = {}

    def __enter__(self) -> VectorCache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None
            self._ids = {}

    def load(
        self, backend: Backend, keys: Sequence[bytes], out: Float32Array, rows: IntArray
    ) -> BoolArray:
        """Write the vectors of ``keys`` into ``out[rows]``; bool (len(keys),): which were found.

        keys : :func:`text_key` of each text; out : float32 (n, d); rows : int64 (len(keys),).
        A row that fails its checksum or holds a number that is not finite counts as not found.
        """
        found = np.zeros(len(keys), dtype=np.bool_)
        if self._off:
            return found
        try:
            damaged = self._load(backend, keys, out, rows, found)
        except (sqlite3.Error, OSError) as error:
            self._recover(error)
            found[:] = False
            return found
        if damaged:
            self._notice(f"{damaged} damaged vectors in {self.path} are computed again")
        return found

    def _load(
        self,
        backend: Backend,
        keys: Sequence[bytes],
        out: Float32Array,
        rows: IntArray,
        found: BoolArray,
    ) -> int:
        db = self._open()
        number = self._number(db, backend)
        dimension, damaged = backend.dimension, 0
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = list(keys[start : start + _KEYS_PER_QUERY])
            at = {key: start + i for i, key in enumerate(part)}
            marks = ",".join("?" * len(part))
            query = f"SELECT text, crc, vector FROM vectors WHERE backend=? AND text IN ({marks})"
            for key, crc, blob in db.execute(query, [number, *part]):
                if len(blob) != 4 * dimension or zlib.crc32(blob, zlib.crc32(key)) != crc:
                    damaged += 1
                    continue
                i = at[key]
                out[rows[i]] = np.frombuffer(blob, dtype="<f4")
                found[i] = True
        return damaged

    def store(self, backend: Backend, keys: Sequence[bytes], vectors: Float32Array) -> None:
        """Commit float32 (len(keys), d) vectors in one transaction; what is there is replaced.
        Where that fails, a notice says so, and the cache is done without."""
        if vectors.shape != (len(keys), backend.dimension):
            raise ValueError(f"vectors have shape {vectors.shape} for {len(keys)} keys")
        if not np.isfinite(vectors).all():
            raise ValueError(f"backend {backend.name} gave a number that is not finite")
        little = np.ascontiguousarray(vectors, dtype="<f4")
        blobs = [row.tobytes() for row in little]
        for _ in range(2):  # once more, where a damaged file was set aside
            if self._off:
                return
            try:
                self._store(backend, keys, blobs)
            except (sqlite3.Error, OSError) as error:
                self._recover(error)
            else:
                return
        self._give_up("it is damaged again and again")

    def _store(self, backend: Backend, keys: Sequence[bytes], blobs: list[bytes]) -> None:
        db = self._open()
        number = self._number(db, backend)
        rows = (
            (number, key, zlib.crc32(blob, zlib.crc32(key)), blob)
            for key, blob in sorted(zip(keys, blobs, strict=True))
        )
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR REPLACE INTO vectors VALUES (?,?,?,?)", rows)

    def size(self) -> CacheSize:
        """Bytes and vectors as they stand now; sets a damaged file aside like the others."""
        query = (
            "SELECT name, count(*) FROM vectors JOIN backends ON id = backend "
            "GROUP BY name ORDER BY name"
        )
        counts: tuple[tuple[str, int], ...] = ()
        if os.path.lexists(self.path) and not self._off:
            try:
                counts = tuple((str(n), int(k)) for n, k in self._open().execute(query))
            except (sqlite3.Error, OSError) as error:
                self._recover(error)
        total = sum(k for _, k in counts)
        return CacheSize(self.path, cache_size(self.path.parent), total, counts)

    def _number(self, db: sqlite3.Connection, backend: Backend) -> int:
        fingerprint = backend.fingerprint
        if fingerprint not in self._ids:
            with db:
                db.execute("BEGIN IMMEDIATE")
                db.execute(
                    "INSERT OR IGNORE INTO backends (fingerprint, name, dimension) VALUES (?,?,?)",
                    (fingerprint, backend.name, backend.dimension),
                )
            row = db.execute("SELECT id FROM backends WHERE fingerprint=?", (fingerprint,))
            self._ids[fingerprint] = int(row.fetchone()[0])
        return self._ids[fingerprint]

    def _open(self) -> sqlite3.Connection:
        if self._db is not None:
            return self._db
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for suffix in ("", "-wal", "-shm", "-journal"):
            refuse_odd(Path(f"{self.path}{suffix}"))
        self._db = self._connect()
        return self._db

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_WAIT_SECONDS, isolation_level=None)
        try:
            # A page holds several rows of 384 float32; the default of 4096 bytes holds two.
            db.execute("PRAGMA page_size=16384")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("BEGIN IMMEDIATE")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            mark = db.execute("PRAGMA application_id").fetchone()[0]
            if tables == 0:
                for statement in _SCHEMA.strip().split(";\n"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={FORMAT}")
                db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            elif (version, mark) != (FORMAT, _APPLICATION_ID):
                raise sqlite3.DatabaseError(f"format {version} instead of {FORMAT}")
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _recover(self, error: sqlite3.Error | OSError) -> None:
        """Set a damaged or foreign file aside; give up where the file is not to blame."""
        self.close()
        if isinstance(error, OSError):
            self._give_up(error.strerror or str(error))
            return
        # The low byte is the class of an extended code; our own error (a foreign format) has none.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_NOTADB) & 0xFF
        if code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
            self._give_up(str(error))
            return
        aside = _free_name(self.path)
        try:
            for suffix in ("", "-wal", "-shm"):
                part = Path(f"{self.path}{suffix}")
                if part.exists():
                    os.replace(part, f"{aside}{suffix}")
        except OSError as moving:
            self._give_up(moving.strerror or str(moving))
            return
        self._notice(f"the cache {self.path} is not usable ({error}); set aside as {aside.name}")

    def _give_up(self, reason: str) -> None:
        self.close()
        self._off = True
        self._notice(f"the cache {self.path} cannot be used ({reason}); done without")


def refuse_odd(path: Path) -> None:
    """Raise OSError where something stands that is no regular file of its own: a link, which may
    lead to another's file, a pipe or a device, which may never end, a folder."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "no file"
        raise OSError(0, f"{path.name} is {kind}")


def _free_name(path: Path) -> Path:
    n = 1
    while (aside := path.with_name(f"{path.name}.aside-{n}")).exists():
        n += 1
    return aside


def cache_size(folder: Path) -> int:
    """Bytes of all files in the cache folder: vectors, distilled tables, files set aside."""
    try:
        found = [p.lstat() for p in folder.iterdir()]
    except OSError:
        return 0
    return sum(s.st_size for s in found if stat.S_ISREG(s.st_mode))
