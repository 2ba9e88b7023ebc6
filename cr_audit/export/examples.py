"""Pairs as trainers want them: a prompt in turns, a preferred and another response, tools, weight.

Everything is taken from the row itself where it can be found there, byte for byte: messages with
all that they carry (tool calls, names, parts), prompts, and responses as they stood, not trimmed.
What the row does not hold by itself (a response inside a transcript) is the text that the audit
read. A row of one comparison gives one pair, a row of several (``--expand-choices``,
``--ratings-to-pairs``, several annotators) one for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cr_audit.arrays import FloatArray
from cr_audit.data.identity import canonical
from cr_audit.export.annotate import RowTable, RowWeights, keys
from cr_audit.export.source import place, placed
from cr_audit.readers.fields import at_path, missing
from cr_audit.readers.parsing import messages_in
from cr_audit.readers.raw import RawRow
from cr_audit.readers.transcripts import (
    NotATurn,
    Turn,
    cut_texts,
    cut_turns,
    is_messages,
    joined,
    prompt_turns,
    render,
    turns_of,
)
from cr_audit.readers.turns import role_name

if TYPE_CHECKING:
    from cr_audit.run import Run

Message = dict[str, Any]
CARRIED = ("tools", "images", "videos", "audios", "margin", "chat_template_kwargs")
"""Fields that a trainer may read beside the pair; they are handed on where it does."""
_SIDES = (("chosen", "rejected"), ("left", "right"))


@dataclass(frozen=True, slots=True)
class Example:
    """One pair. prompt : messages, the system's first; [] where nothing was asked. chosen,
    rejected : messages of the two answers, at least one each. plain : the prompt is one user's text
    (or there is none) and both answers are texts, so that no turn is needed to say it. place :
    file:line. carried : those of ``CARRIED`` that the row has.
    """

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    plain: bool
    weight: float
    place: str
    carried: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoPair:
    """A row that gives no pair, and why."""

    reason: str
    place: str


def pair_weights(run: Run, table: RowTable, weights: RowWeights) -> FloatArray:
    """One weight per comparison, in the order of the files, mean 1 over those that are no tie:
    k w_i w_j, k the data's own mass, which has no field of its own in a trainer's layout."""
    c = run.dataset.comparisons
    w = weights.of
    raw = c["mass"].to_numpy() * w[c["winner"].to_numpy()] * w[c["loser"].to_numpy()]
    decided = c["outcome"].to_numpy() != 0.5
    total = float(raw[decided].sum())
    out: FloatArray = raw * (decided.sum() / total) if total > 0 else np.zeros_like(raw)
    return out


def examples(run: Run, table: RowTable, weights: RowWeights) -> Iterator[Example | NoPair]:
    """Every pair of the run's files in order, and every row that gives none."""
    data = run.dataset
    c = data.comparisons
    at = table.at(keys(c["file"], c["line"]))
    order = np.argsort(at, kind="stable")
    start = np.searchsorted(at[order], np.arange(table.n + 1))
    weight = pair_weights(run, table, weights).tolist()
    winner, loser = c["winner"].to_list(), c["loser"].to_list()
    tied = (c["outcome"] == 0.5).to_list()
    texts, prompt_of = data.alternatives["text"].to_list(), data.prompt_of.tolist()
    prompts = data.prompts["text"].to_list()
    skipped = {file << 44 | line: reason for reason, file, line in data.report.skipped_rows}
    layouts = [_Layout(s.fields, s.prompt_fields) for s in data.report.schemas]
    for row, i in placed(run, table):
        where = place(run, row)
        here = order[start[i] : start[i + 1]].tolist() if i >= 0 else []
        if row.value is None or not here:
            why = skipped.get(row.file << 44 | row.line, "no_pair")
            yield NoPair(why if row.value is not None else "not_an_object", where)
            continue
        layout = layouts[row.file]
        for k in here:
            if tied[k]:
                yield NoPair("tie", where)
                continue
            won, lost = texts[winner[k]], texts[loser[k]]
            if won is None or lost is None:
                yield NoPair("no_text", where)
                continue
            asked = prompts[prompt_of[winner[k]]]
            yield layout.example(row, won, lost, asked, len(here) == 1, weight[k], where)


class _Layout:
    """Where a file's rows hold prompt and sides: the fields by the roles of its schema."""

    def __init__(self, fields: Mapping[str, str], prompt_fields: tuple[str, ...]) -> None:
        self._get = {role: _getter(name) for role, name in fields.items()}
        self._system = fields.get("system")
        self._beside = {fields[r] for r in ("system", "context") if r in fields}
        self._parts = [(name, _getter(name)) for name in prompt_fields]
        self._sides = next((s for s in _SIDES if set(s) <= fields.keys()), None)

    def example(
        self,
        row: RawRow,
        won: str,
        lost: str,
        asked: str | None,
        alone: bool,
        weight: float,
        where: str,
    ) -> Example:
        """The pair of a row: won, lost and asked are the texts that the audit read."""
        value = row.value or {}
        carried = {k: value[k] for k in CARRIED if value.get(k) not in (None, [], {}, "")}
        own, plain, read = self._prompt(value)
        sides = self._conversations(value) if alone else None
        if sides is not None:
            prompt, chosen, rejected = self._cut(sides, own, won)
            return Example(prompt, chosen, rejected, False, weight, where, carried)
        exact = _exact(value, (won, lost))
        chosen, rejected = (
            [{"role": "assistant", "content": exact.get(t, t)}] for t in (won, lost)
        )
        said = own
        if asked is None:
            said = []
        elif canonical(read) != canonical(asked):
            # Something of the prompt stands in the sides, or in another layout.
            said = self._read(value, asked)
            plain = [m["role"] for m in said] == ["user"]
        return Example(said, chosen, rejected, plain, weight, where, carried)

    def _prompt(self, value: dict[str, Any]) -> tuple[list[Message], bool, str]:
        """The prompt of the row's own fields, whether it is one text, and how the audit reads it:
        parts joined by blank lines, a system's text or context that another part holds left out."""
        parts = [
            (name, part)
            for name, get in self._parts
            if not missing(part := messages_in(get(value)))
        ]
        texts = [render(_said(part)) for _, part in parts]
        out: list[Message] = []
        asked: list[str] = []
        kept: list[str] = []
        plain = True
        for i, (name, part) in enumerate(parts):
            if name in self._beside and any(texts[i] in t for t in texts[:i] + texts[i + 1 :]):
                continue
            kept.append(texts[i])
            if is_messages(part):
                out += [_message(m) for m in part]
                plain = False
            elif not isinstance(part, str):
                continue  # not said here, so that it differs from what was read
            elif name == self._system:
                out.insert(0, {"role": "system", "content": part})
                plain = False
            elif (turns := prompt_turns(part)) == [Turn("user", part)]:
                asked.append(part)
            else:
                out += [{"role": t.role, "content": t.text} for t in turns]
                plain = False
        if asked:
            out.append({"role": "user", "content": "\n\n".join(asked)})
        return out, plain, "\n\n".join(kept)

    def _conversations(self, value: dict[str, Any]) -> tuple[list[Any], list[Any]] | None:
        """Both sides as lists of messages, if both are."""
        if self._sides is None:
            return None
        both = [messages_in(self._get[side](value)) for side in self._sides]
        for i, side in enumerate(both):
            if isinstance(side, dict):
                inside = side.get("messages", side.get("conversation"))
                both[i] = [side] if not side.keys().isdisjoint(("role", "from")) else inside
        if not all(is_messages(side) for side in both):
            return None
        return both[0], both[1]

    def _cut(
        self, sides: tuple[list[Any], list[Any]], own: list[Message], won: str
    ) -> tuple[list[Message], list[Message], list[Message]]:
        """Prompt, chosen and rejected of two conversations; ``won`` says which is which."""
        a, b = (turns_of(side) for side in sides)
        shared, tail, other = cut_turns(a, b)
        n = len(shared)
        head, first, second = sides[0][:n], sides[0][n:], sides[1][n:]
        whole = joined(_turns(own), shared)
        if whole == shared:
            prompt = [_message(m) for m in head]
        else:
            prompt = [*own, *(_message(m) for m in head[len(head) - (len(whole) - len(own)) :])]
        if canonical(render(tail)) != won and canonical(render(other)) == won:
            first, second = second, first
        return prompt, [_message(m) for m in first], [_message(m) for m in second]

    def _read(self, value: dict[str, Any], asked: str) -> list[Message]:
        """The prompt that the sides share, in turns; else the text that was read."""
        if self._sides is not None:
            a, b = (self._get[side](value) for side in self._sides)
            cut = cut_texts(a, b) if isinstance(a, str) and isinstance(b, str) else None
            if cut is not None and canonical(render(cut[0])) == canonical(asked):
                return [{"role": t.role, "content": t.text} for t in cut[0]]
        return [{"role": "user", "content": asked}]


def _getter(field: str) -> Callable[[dict[str, Any]], Any]:
    """A field of a row by its name, else by the path that the name is."""
    path = field.split(".")

    def get(value: dict[str, Any]) -> Any:
        if field in value or len(path) == 1:
            return value.get(field)
        return at_path(value, path)

    return get


def _message(message: Any) -> Message:
    """A message with role and content by these names and every other field as it is."""
    out: Message = {"role": "", "content": None}
    for name, value in message.items():
        if name in ("role", "from", "speaker"):
            out["role"] = role_name(value) if isinstance(value, str) else value
        elif name in ("content", "value") or (name == "text" and "content" not in message):
            out["content"] = value
        elif value is not None:
            out[name] = value
    return out


def _said(part: Any) -> list[Turn]:
    """A part of a prompt in turns; none where it is neither text nor messages."""
    if isinstance(part, str):
        return prompt_turns(part)
    return _turns(part) if is_messages(part) else []


def _turns(messages: list[Message]) -> list[Turn]:
    try:
        return turns_of(messages)
    except NotATurn:
        return []


def _exact(value: Any, wanted: tuple[str, ...], depth: int = 4) -> dict[str, str]:
    """Canonical text -> the string of the row that it was, for those wanted."""
    found: dict[str, str] = {}
    stack: list[tuple[Any, int]] = [(value, depth)]
    while stack:
        inside, left = stack.pop()
        if isinstance(inside, str):
            for text in wanted:
                maybe = text in inside or not inside.isascii()  # what is composed differs there
                if maybe and text not in found and canonical(inside) == text:
                    found[text] = inside
        elif left and isinstance(inside, dict):
            stack += [(v, left - 1) for v in inside.values()]
        elif left and isinstance(inside, list):
            stack += [(v, left - 1) for v in inside]
    return found
