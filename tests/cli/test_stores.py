"""``hf://`` and ``s3://`` to the end: the stores' own libraries against a stand-in on this machine.

The servers below answer what huggingface_hub and s3fs ask for and nothing more. Each command is a
process of its own, because both libraries read their address when they are imported.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from email.utils import formatdate
from hashlib import md5, sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

ROWS = "".join(
    json.dumps({"prompt": f"p{k % 5}", "chosen": f"yes {k}", "rejected": f"no {k}"}) + "\n"
    for k in range(60)
).encode()
FILES = {"data/a.jsonl": ROWS, "data/b c.jsonl": ROWS[: ROWS.index(b"\n") + 1], "README.md": b"#"}


class Store(BaseHTTPRequestHandler):
    """Objects by name, whole or in part."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def log_message(self, format: str, *args: object) -> None:
        self.asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())

    def answer(self, body: bytes, kind: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        given = {"Content-Type": kind, "Content-Length": str(len(body))} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def value(self, made: object, status: int = 200) -> None:
        self.answer(json.dumps(made).encode(), "application/json", status)

    def thing(self, body: bytes, **headers: str) -> None:
        """An object, or the part that was asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        stamp = formatdate(1_700_000_000, usegmt=True)
        headers |= {"ETag": f'"{md5(body).hexdigest()}"', "Accept_Ranges": "bytes"}
        if asked is None:
            self.answer(body, "application/octet-stream", Last_Modified=stamp, **headers)
            return
        first = int(asked[1])
        last = min(int(asked[2] or len(body) - 1), len(body) - 1)
        headers |= {"Content_Range": f"bytes {first}-{last}/{len(body)}", "Last_Modified": stamp}
        self.answer(body[first : last + 1], "application/octet-stream", 206, **headers)


class Hub(Store):
    """One data set, o/n, at revision main."""

    def entry(self, name: str) -> dict[str, object]:
        body = FILES[name]
        return {"type": "file", "path": name, "size": len(body), "oid": sha1(body).hexdigest()}

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        asked = json.loads(body)["paths"] if body[:1] == "{" else parse_qs(body).get("paths", [])
        found: list[dict[str, object]] = [self.entry(p) for p in asked if p in FILES]
        if "data" in asked:
            found.append({"type": "directory", "path": "data", "oid": "0" * 40})
        self.value(found)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        inside = path.removeprefix("/api/datasets/o/n")
        if inside in ("", "/revision/main"):
            siblings = [{"rfilename": name} for name in FILES]
            self.value({"id": "o/n", "sha": "a" * 40, "siblings": siblings})
        elif inside.startswith("/tree/main"):
            under = inside.removeprefix("/tree/main").strip("/")
            folder = {"type": "directory", "path": "data", "oid": "0" * 40}
            entries = [self.entry(n) for n in FILES if n.startswith(under)]
            if not under and "recursive=true" not in self.path.lower():
                entries = [e for e in entries if "/" not in str(e["path"])]
            self.value([*([] if under else [folder]), *entries])
        elif path.startswith("/datasets/o/n/resolve/main/"):
            name = path.removeprefix("/datasets/o/n/resolve/main/")
            if name in FILES:
                self.thing(FILES[name], X_Repo_Commit="a" * 40)
            else:
                self.answer(b"", "text/plain", 404, X_Error_Code="EntryNotFound")
        else:
            self.answer(b"", "text/plain", 404, X_Error_Code="RepoNotFound")


class Bucket(Store):
    """One bucket, box, by paths."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        name = unquote(parts.path).removeprefix("/box").lstrip("/")
        if name in FILES:
            self.thing(FILES[name])
        elif name or not unquote(parts.path).startswith("/box"):
            self.answer(b"", "application/xml", 404)
        else:
            self.answer(self.listed(parse_qs(parts.query)), "application/xml")

    def listed(self, query: dict[str, list[str]]) -> bytes:
        prefix = query.get("prefix", [""])[0]
        cut = query.get("delimiter", [""])[0]
        keys, folders = [], []
        for name in sorted(FILES):
            rest = name.removeprefix(prefix)
            if not name.startswith(prefix):
                continue
            if cut and cut in rest:
                folders.append(prefix + rest.split(cut)[0] + cut)
            else:
                keys.append(name)
        objects = "".join(
            f"<Contents><Key>{escape(k)}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{md5(FILES[k]).hexdigest()}&quot;</ETag><Size>{len(FILES[k])}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for k in keys
        )
        under = "".join(
            f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>"
            for f in dict.fromkeys(folders)
        )
        return (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>box</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(keys)}</KeyCount>"
            f"<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{objects}{under}"
            "</ListBucketResult>"
        ).encode()


def served(handler: type[Store]) -> Iterator[str]:
    handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hub() -> Iterator[str]:
    yield from served(Hub)


@pytest.fixture
def bucket() -> Iterator[str]:
    yield from served(Bucket)


def scan(address: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "AWS_"))}
    kept |= {"XDG_CACHE_HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "*"}
    words = [sys.executable, "-m", "cr_audit", "scan", address, "--format", "json"]
    return subprocess.run(
        words, capture_output=True, text=True, env=kept | environment, cwd=tmp_path, check=False
    )


def rows_read(done: subprocess.CompletedProcess[str]) -> int:
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)["dataset"]["rows_read"]
    assert isinstance(found, int)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "n"),
    [
        ("hf://datasets/o/n/data/a.jsonl", 60),
        ("hf://datasets/o/n", 61),
        ("hf://datasets/o/n/data/b*.jsonl", 1),
    ],
)
def test_a_data_set_of_the_hub(hub: str, address: str, n: int, tmp_path: Path) -> None:
    assert rows_read(scan(address, tmp_path, HF_ENDPOINT=hub)) == n
    assert any("/resolve/main/" in asked for asked in Hub.asked)
    assert not any("README.md" in asked and "/resolve/" in asked for asked in Hub.asked)


@pytest.mark.slow
def test_a_file_that_the_hub_does_not_have(hub: str, tmp_path: Path) -> None:
    done = scan("hf://datasets/o/n/none.jsonl", tmp_path, HF_ENDPOINT=hub)
    assert done.returncode == 3
    assert "hf download o/n" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(find_spec("s3fs") is None, reason="s3fs is not installed")
@pytest.mark.parametrize(
    ("address", "n"), [("s3://box/data/a.jsonl", 60), ("s3://box/data", 61), ("s3://box/*/b*", 1)]
)
def test_objects_of_a_bucket(bucket: str, address: str, n: int, tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-west-1"}
    assert rows_read(scan(address, tmp_path, AWS_ENDPOINT_URL=bucket, **keys)) == n


@pytest.mark.slow
@pytest.mark.skipif(find_spec("s3fs") is None, reason="s3fs is not installed")
def test_an_object_that_is_not_there(bucket: str, tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-west-1"}
    done = scan("s3://box/none.jsonl", tmp_path, AWS_ENDPOINT_URL=bucket, **keys)
    assert done.returncode == 3
    assert "aws s3 cp s3://box/none.jsonl" in done.stderr
    assert "Traceback" not in done.stderr
