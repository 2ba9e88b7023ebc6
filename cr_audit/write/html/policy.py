"""The page's style and script, and the content policy that allows these two and nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files


@cache
def _asset(name: str) -> str:
    raw = files("cr_audit.write.html").joinpath(name).read_bytes()
    return raw.decode("utf-8").replace("\r\n", "\n")


def style() -> str:
    """The style sheet."""
    return _asset("page.css")


def script() -> str:
    """The script."""
    return _asset("page.js")


def policy() -> str:
    """Content-Security-Policy: no source at all, but the style and the script by their SHA-256."""
    return (
        f"default-src 'none'; script-src '{_hash(script())}'; style-src '{_hash(style())}';"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(inside: str) -> str:
    digest = hashlib.sha256(inside.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
