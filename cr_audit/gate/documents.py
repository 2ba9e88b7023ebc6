"""JSON files that a gate reads back: findings that are known, what past batches added."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cr_audit.errors import InputError

Refused = Callable[[Path, str, str | None], InputError]
"""(path, what is wrong with it, what stood there) -> the error with its next step."""


def read_document(
    path: Path, form: str, most: int, refused: Refused, content: bytes | None = None
) -> dict[str, Any]:
    """The object of the format ``form`` in a file of at most ``most`` bytes.

    content : the bytes, where the file is not to be read. Raises what ``refused`` makes.
    """
    try:
        if content is None:
            if path.stat().st_size > most:
                raise refused(path, f"is larger than {most // 1_000_000} MB", None)
            content = path.read_bytes()
        document = json.loads(content)
    except OSError as error:
        raise refused(path, f"cannot be read: {error.strerror}", None) from error
    except (ValueError, RecursionError) as error:
        raise refused(path, "is not JSON", None) from error
    if not isinstance(document, dict) or document.get("format") != form:
        found = document.get("format") if isinstance(document, dict) else type(document).__name__
        raise refused(path, f"is not of the format {form}", repr(found)[:200])
    return document
