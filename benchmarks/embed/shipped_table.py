"""Write the table of static vectors that comes with the package anew, and say its SHA-256.

    python -m benchmarks.embed.shipped_table

Needs torch and the weights (the extra ``offline``). The digest goes into cr_audit/embed/shipped.py.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cr_audit.embed
from cr_audit.embed.distil import SETTINGS, distil
from cr_audit.embed.shipped import FILE, pack
from cr_audit.embed.sources import find_model
from cr_audit.embed.static import DEFAULT_MODEL
from cr_audit.embed.static_table import StaticTable
from cr_audit.embed.transformer import TransformerBackend


def distilled() -> StaticTable:
    """A fresh distillation of the default model, on this machine."""
    found = find_model(DEFAULT_MODEL, notice=print)
    settings = json.dumps({**SETTINGS, "source": found.fingerprint}, sort_keys=True)
    return distil(TransformerBackend(DEFAULT_MODEL, found), settings)


def main() -> None:
    """Distil, write, report."""
    raw = pack(distilled())
    Path(cr_audit.embed.__file__).with_name(FILE).write_bytes(raw)
    print(f"{len(raw):,} bytes, sha256 {hashlib.sha256(raw).hexdigest()}")


if __name__ == "__main__":
    main()
