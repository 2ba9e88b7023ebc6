"""The cache: nothing computed twice, nothing corrupt, whatever is killed or damaged."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from cr_audit.embed import VectorCache, default_cache_dir, embed_texts
from cr_audit.embed.cache import FILE_NAME, text_key
from cr_audit.embed.lexical import LexicalBackend

TEXTS = [f"text number {i} of the lot" for i in range(100)]


class Counting(LexicalBackend):
    """The lexical encoder, which remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(64)
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], progress: object = None) -> np.ndarray:
        self.asked += texts
        return super().encode(texts)


WORKER = """
import sys, time
from pathlib import Path
from cr_audit.embed import VectorCache, embed_texts
from cr_audit.embed.lexical import LexicalBackend

class Slow(LexicalBackend):
    def encode(self, texts, progress=None):
        with open(sys.argv[2], "a") as log:
            log.write("".join(t + "\\n" for t in texts))
        time.sleep(0.03)
        return super().encode(texts)

import cr_audit.embed.texts as module
module._SECONDS_PER_COMMIT = 0.004
texts = [f"text {i} of a long run" for i in range(3000)]
with VectorCache(Path(sys.argv[1])) as cache:
    print("ready", flush=True)
    v = embed_texts(Slow(64), texts, cache=cache)
Path(sys.argv[3]).write_bytes(v.tobytes())
"""


def committed(folder: Path) -> set[bytes]:
    if not (folder / FILE_NAME).exists():
        return set()
    db = sqlite3.connect(folder / FILE_NAME)
    try:
        return {k for (k,) in db.execute("SELECT text FROM vectors")}
    except sqlite3.OperationalError:  # killed before the tables were made
        return set()
    finally:
        db.close()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_kill_minus_nine(tmp_path: Path) -> None:
    folder, log, out = tmp_path / "cache", tmp_path / "log", tmp_path / "out"
    command = [sys.executable, "-c", WORKER, str(folder), str(log), str(out)]
    rng = random.Random(5)
    n_kills = 0
    for _ in range(60):
        before = committed(folder)
        log.write_text("")
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        if n_kills < 6:
            time.sleep(rng.uniform(0.0, 0.12))
            process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        computed = log.read_text().split("\n")[:-1]
        assert len(set(computed)) == len(computed)
        assert not before & {text_key(t) for t in computed}, "computed twice"
        if process.returncode == 0:
            break
        n_kills += 1
    assert n_kills == 6
    expected = LexicalBackend(64).encode([f"text {i} of a long run" for i in range(3000)])
    assert out.read_bytes() == expected.tobytes()
    db = sqlite3.connect(folder / FILE_NAME)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert [p.name for p in folder.iterdir() if "aside" in p.name] == []


def test_two_processes_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(folder), *(str(tmp_path / f"{k}{i}") for k in "lo")],
            stdout=subprocess.DEVNULL,
        )
        for i in range(2)
    ]
    assert [p.wait() for p in runs] == [0, 0]
    assert (tmp_path / "o0").read_bytes() == (tmp_path / "o1").read_bytes()
    assert len(committed(folder)) == 3000


def test_each_text_once_and_only_what_is_missing(tmp_path: Path) -> None:
    backend = Counting()
    with VectorCache(tmp_path) as cache:
        part = embed_texts(backend, [TEXTS[7], " " + TEXTS[7] + "\n", "", TEXTS[3]], cache=cache)
        assert sorted(backend.asked) == [TEXTS[3], TEXTS[7]]
        assert np.array_equal(part[0], part[1])
        assert not part[2].any()
        backend.asked.clear()
        whole = embed_texts(backend, TEXTS + TEXTS, cache=cache)
        assert sorted(backend.asked) == sorted(set(TEXTS) - {TEXTS[3], TEXTS[7]})
        backend.asked.clear()
        assert np.array_equal(embed_texts(backend, TEXTS, cache=cache), whole[:100])
        assert backend.asked == []
        assert cache.size().by_backend == (("lexical", 100),)
        assert cache.size().n_bytes > 100 * 64 * 4
    assert np.array_equal(embed_texts(backend, TEXTS), whole[:100])


def test_backends_are_kept_apart(tmp_path: Path) -> None:
    with VectorCache(tmp_path) as cache:
        for backend in (LexicalBackend(64), LexicalBackend(64, (3,)), LexicalBackend(32)):
            got = embed_texts(backend, TEXTS, cache=cache)
            assert np.array_equal(got, backend.encode(TEXTS))
        assert cache.size().n_vectors == 300


def damage_garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 1000)


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_version(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()


def damage_foreign(path: Path) -> None:
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine (x)")
    db.close()


def damage_schema(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("DROP TABLE vectors")
    db.close()


def damage_pages(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    for at in range(2 * 16384, len(raw), 16384):
        raw[at : at + 64] = b"\xff" * 64
    path.write_bytes(raw)


DAMAGES = [
    damage_garbage,
    damage_truncate,
    damage_version,
    damage_foreign,
    damage_schema,
    damage_pages,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_file_is_set_aside(tmp_path: Path, damage: object) -> None:
    backend = Counting()
    with VectorCache(tmp_path) as cache:
        expected = embed_texts(backend, TEXTS, cache=cache)
    damage(tmp_path / FILE_NAME)  # type: ignore[operator]
    said: list[str] = []
    for _ in range(2):
        with VectorCache(tmp_path, notice=said.append) as cache:
            assert np.array_equal(embed_texts(backend, TEXTS, cache=cache), expected)
            assert cache.size().n_vectors == 100
    assert len(said) == 1
    assert "set aside as" in said[0]
    assert (tmp_path / f"{FILE_NAME}.aside-1").exists()


def test_a_damaged_row_is_computed_again(tmp_path: Path) -> None:
    backend = Counting()
    with VectorCache(tmp_path) as cache:
        expected = embed_texts(backend, TEXTS, cache=cache)
    db = sqlite3.connect(tmp_path / FILE_NAME)
    blob = db.execute("SELECT vector FROM vectors WHERE text=?", [text_key(TEXTS[5])]).fetchone()[0]
    flipped = bytes([blob[0] ^ 1]) + blob[1:]
    db.execute("UPDATE vectors SET vector=? WHERE text=?", [flipped, text_key(TEXTS[5])])
    db.execute("UPDATE vectors SET vector=? WHERE text=?", [b"short", text_key(TEXTS[6])])
    db.commit()
    db.close()
    backend.asked.clear()
    said: list[str] = []
    with VectorCache(tmp_path, notice=said.append) as cache:
        assert np.array_equal(embed_texts(backend, TEXTS, cache=cache), expected)
    assert sorted(backend.asked) == [TEXTS[5], TEXTS[6]]
    assert said == [f"2 damaged vectors in {tmp_path / FILE_NAME} are computed again"]


def test_flipped_bytes_never_reach_a_result(tmp_path: Path) -> None:
    backend = LexicalBackend(64)
    with VectorCache(tmp_path / "good") as cache:
        expected = embed_texts(backend, TEXTS, cache=cache)
    good = (tmp_path / "good" / FILE_NAME).read_bytes()
    rng = random.Random(3)
    for i in range(25):
        raw = bytearray(good)
        for _ in range(rng.choice((1, 5, 200))):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        (tmp_path / str(i)).mkdir()
        (tmp_path / str(i) / FILE_NAME).write_bytes(raw)
        with VectorCache(tmp_path / str(i)) as cache:
            assert np.array_equal(embed_texts(backend, TEXTS, cache=cache), expected)


def _file(place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.parent.rmdir()
    place.parent.write_text("")


def _folder(place: Path) -> None:
    place.mkdir(parents=True)


def _link(place: Path) -> None:
    place.parent.mkdir(parents=True)
    (place.parent / "other").write_text("somebody's")
    place.symlink_to("other")


def _dangling(place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.symlink_to("nowhere")


def _pipe(place: Path) -> None:
    place.parent.mkdir(parents=True)
    os.mkfifo(place)


def _device(place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.symlink_to("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("stands", [_file, _folder, _link, _dangling, _pipe, _device])
def test_a_cache_that_cannot_be_used_is_done_without(
    stands: Callable[[Path], None], suffix: str, tmp_path: Path
) -> None:
    backend = LexicalBackend(64)
    expected = embed_texts(backend, TEXTS)
    stands(tmp_path / "cache" / f"{FILE_NAME}{suffix}")
    said: list[str] = []
    with VectorCache(tmp_path / "cache", notice=said.append) as cache:
        for _ in range(2):
            assert np.array_equal(embed_texts(backend, TEXTS, cache=cache), expected)
        cache.size()
    assert len(said) == 1
    assert "done without" in said[0]
    other = tmp_path / "cache" / "other"
    assert not other.exists() or other.read_text() == "somebody's"


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY]
)
def test_a_full_disk_while_vectors_are_kept(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = LexicalBackend(64)
    expected = embed_texts(backend, TEXTS)

    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(VectorCache, "_store", full)
    said: list[str] = []
    with VectorCache(tmp_path, notice=said.append) as cache:
        assert np.array_equal(embed_texts(backend, TEXTS, cache=cache), expected)
    assert len(said) == 1


def test_vectors_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with VectorCache(tmp_path) as cache:
        bad = np.full((1, 64), np.nan, dtype=np.float32)
        with pytest.raises(ValueError, match="not finite"):
            cache.store(LexicalBackend(64), [b"k"], bad)
        with pytest.raises(ValueError, match="shape"):
            cache.store(LexicalBackend(64), [b"k"], bad[:, :3])


def test_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CR_AUDIT_CACHE", str(tmp_path / "mine"))
    assert default_cache_dir() == tmp_path / "mine"
    assert VectorCache(default_cache_dir()).size().n_bytes == 0
    assert not (tmp_path / "mine").exists()
    monkeypatch.delenv("CR_AUDIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    if sys.platform != "darwin":
        assert default_cache_dir() == tmp_path / "cr-audit"
    assert os.sep in str(default_cache_dir())
