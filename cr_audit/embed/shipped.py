"""The table of static vectors that comes with cr-audit, so that a first scan needs no model and no
torch: sentence-transformers/all-MiniLM-L6-v2, distilled by ``cr_audit.embed.distil``. The model is
licensed under Apache-2.0, and so is the table, which is a changed form of it: LICENSE-table.md.

The file is ``all-minilm-l6-v2.table`` beside this module: a line that names the format, a line of
JSON, the parts, and the SHA-256 of all that. The entries, multiples of 2**-17, are cut into their
low byte and the rest, the rest zigzagged so that small numbers have small codes, and each plane is
compressed. benchmarks/embed/shipped_table.py writes it anew; a test distils the model and compares.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from functools import cache
from importlib.resources import files

import numpy as np

from cr_audit.embed.static_table import StaticTable
from cr_audit.errors import ComputeError

FILE = "all-minilm-l6-v2.table"
SHA256 = "d91d0ff46414fbf21974e303a33564609125e8c0f30ce84de699abc649a8ec3c"
DIMENSION = 384
_MAGIC = b"cr-audit static table 1\n"
_DIGEST = 32


def pack(table: StaticTable) -> bytes:
    """The file of a table; the same table gives the same bytes with the same zlib."""
    tokens = table.tokens.astype(np.int32)
    rest = tokens >> 8
    zigzag = ((rest << 1) ^ (rest >> 31)).astype(np.uint32)
    if zigzag.max(initial=0) > 0xFFFF:
        raise ValueError("an entry is too large for this format")
    planes = (tokens & 0xFF, zigzag & 0xFF, zigzag >> 8)
    parts = [zlib.compress(p.astype(np.uint8).tobytes(), 9) for p in planes]
    parts.append(zlib.compress(table.tokenizer.encode(), 9))
    head = {
        "shape": list(tokens.shape),
        "unknown": table.unknown,
        "settings": table.settings,
        "parts": [len(p) for p in parts],
    }
    content = b"".join((_MAGIC, json.dumps(head, sort_keys=True).encode(), b"\n", *parts))
    return content + hashlib.sha256(content).digest()


def unpack(raw: bytes) -> StaticTable:
    """The table of such a file. Raises ValueError for anything else, or damage."""
    content, digest = raw[:-_DIGEST], raw[-_DIGEST:]
    if not content.startswith(_MAGIC) or hashlib.sha256(content).digest() != digest:
        raise ValueError("not a static table, or damaged")
    line, _, body = content[len(_MAGIC) :].partition(b"\n")
    head = json.loads(line)
    parts, at = [], 0
    for size in head["parts"]:
        parts.append(zlib.decompress(body[at : at + size]))
        at += size
    low, middle, top = (np.frombuffer(p, np.uint8).astype(np.int32) for p in parts[:3])
    zigzag = middle | (top << 8)
    rest = (zigzag >> 1) ^ -(zigzag & 1)
    tokens = ((rest << 8) | low).reshape(head["shape"])
    return StaticTable(tokens, parts[3].decode(), int(head["unknown"]), str(head["settings"]))


@cache
def read_shipped() -> StaticTable:
    """The packaged table. Raises ComputeError ``package-damaged`` where it is not the published
    one."""
    place = files("cr_audit.embed").joinpath(FILE)
    try:
        raw = place.read_bytes()
        if hashlib.sha256(raw).hexdigest() != SHA256:
            raise ValueError("its SHA-256 is not the published one")
        return unpack(raw)
    except (OSError, ValueError, zlib.error) as error:
        raise ComputeError(
            "package-damaged",
            f"the table of static vectors that belongs to cr-audit cannot be used: {error}",
            where=str(place),
            next_step="install cr-audit again, or use --model lexical",
        ) from error
