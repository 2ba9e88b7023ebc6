"""What a schema says about one row: judgements, listings, ratings. Plain tuples, nothing resolved.

Schemas (``readers.schemas``) turn a parsed row into these; the builder (``readers.build``) gives
content identities to what they name. A schema never drops a row in silence: it returns records, or
raises :class:`BadRow` with the reason, the field and what stood there.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Response(NamedTuple):
    """One alternative as a row names it; at least one of the three is not None."""

    text: str | None
    model: str | None = None
    key: str | None = None


class Prompt(NamedTuple):
    """``text`` may be a rendered multi-turn conversation; both None: one global prompt.

    turns : the (role, text) pairs that ``text`` renders, where they are not one user's turn.
    """

    text: str | None = None
    key: str | None = None
    turns: tuple[Any, ...] | None = None


class Judgement(NamedTuple):
    """``share`` is what ``left`` won: 1.0, 0.5 (tie) or 0.0. left_first: None if unknown."""

    prompt: Prompt
    left: Response
    right: Response
    share: float
    annotator: str | None = None
    left_first: bool | None = None
    mass: float = 1.0


class Listing(NamedTuple):
    """A choice set: rank 0 is best, equal ranks are ties, None is not ranked."""

    prompt: Prompt
    members: tuple[Response, ...]
    ranks: tuple[int | None, ...]
    annotator: str | None = None
    mass: float = 1.0


class Rating(NamedTuple):
    """A score of one response (higher is better), or the bare response if score is None."""

    prompt: Prompt
    response: Response
    score: float | None
    aspect: str = "score"
    annotator: str | None = None


Record = Judgement | Listing | Rating


class BadRow(Exception):
    """A row without any use: a reason slug, the field, and what stood there."""

    def __init__(self, reason: str, field: str, found: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field
        self.found = found
