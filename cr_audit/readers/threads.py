"""Shapes of whole conversations: trees of ranked replies, and turns with several offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cr_audit.readers.fields import Binding, Notes, Row, key_of, number_of, text_of, unpacked
from cr_audit.readers.lists import dense_ranks
from cr_audit.readers.pairs import Parser
from cr_audit.readers.records import BadRow, Listing, Prompt, Rating, Record, Response
from cr_audit.readers.transcripts import NotATurn, Turn, render, turn_of


def tree(b: Binding) -> Parser:
    """OpenAssistant export: nested replies; ranked sibling replies are choice sets."""
    root, field = b.get("tree"), b.name("tree")
    assert root is not None

    def parse(row: Row, notes: Notes) -> list[Record]:
        start = root(row)
        if not isinstance(start, dict):
            raise BadRow("not_an_object", field, start)
        out: list[Record] = []
        stack: list[tuple[Row, tuple[Turn, ...]]] = [(start, ())]
        while stack:
            node, before = stack.pop()
            said = (*before, _turn(node, field))
            replies = [r for r in node.get("replies") or () if isinstance(r, dict)]
            if replies and all(r.get("role") == "assistant" for r in replies):
                prompt = Prompt(render(said), key_of(node.get("message_id"), field))
                out += _siblings(prompt, replies, field, notes)
            stack.extend((r, said) for r in reversed(replies))
        if not out:
            raise BadRow("missing_label", field, "no assistant reply")
        return out

    return parse


def _siblings(prompt: Prompt, replies: list[Row], field: str, notes: Notes) -> list[Record]:
    members = tuple(
        Response(
            text_of(r.get("text"), f"{field}.text", notes),
            None,
            key_of(r.get("message_id"), f"{field}.message_id"),
        )
        for r in replies
    )
    ranks = [number_of(r.get("rank"), f"{field}.rank") for r in replies]
    if len(members) > 1 and sum(r is not None for r in ranks) > 1:
        return [Listing(prompt, members, dense_ranks(ranks))]
    return [Rating(prompt, m, None) for m in members]


def _turn(message: Any, field: str) -> Turn:
    try:
        return turn_of(message)
    except NotATurn as error:
        raise BadRow("not_a_message", field, error.args[0]) from None


def is_flat_tree(sample: Sequence[Row]) -> bool:
    """Whether rows are single messages of conversation trees (OpenAssistant's flat export)."""
    names = ("message_id", "parent_id", "text", "role")
    return all(all(n in row for n in names) for row in sample) and any(
        isinstance(row["parent_id"], str) and row["parent_id"] for row in sample
    )


def gathered(messages: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
    """Messages of flat trees as one row per set of sibling replies, in the layout of
    ``oasst_ranked_sets``: the conversation before them, and the replies. The line is that of the
    last reply. Holds all messages in memory."""
    known: dict[str, Row] = {}
    replies: dict[str, list[Row]] = {}
    last: dict[str, int] = {}
    for line, row in messages:
        known[str(row["message_id"])] = row
        parent = row["parent_id"]
        if row["role"] == "assistant" and parent:
            replies.setdefault(str(parent), []).append(row)
            last[str(parent)] = line
    for parent, siblings in replies.items():
        said: list[Row] = []
        at: Any = parent
        while at and str(at) in known and len(said) < len(known):
            said.append(known[str(at)])
            at = said[-1]["parent_id"]
        conversation = [{"role": m["role"], "text": m["text"]} for m in reversed(said)]
        yield (
            last[parent],
            {
                "parent_id": parent,
                "conversation": conversation or None,
                "replies": siblings,
            },
        )


def chosen_turns(b: Binding) -> Parser:
    """PRISM: conversation_history of messages with turn, if_chosen, model_name and score."""
    get, field, annotator = b.get("items"), b.name("items"), b.annotator()
    assert get is not None

    def parse(row: Row, notes: Notes) -> list[Record]:
        history = unpacked(get(row))
        if not isinstance(history, list) or not history:
            raise BadRow("not_a_list", field, history)
        said: list[Turn] = []
        out: list[Record] = []
        offered: list[Row] = []
        who = annotator(row)
        for message in [*history, None]:
            turn = None if message is None else _turn(message, field)
            if turn is not None and turn.role == "assistant":
                offered.append(message)
                continue
            if offered:
                out += _offered(Prompt(render(said)), offered, who, field, notes)
                picked = next((m for m in offered if m.get("if_chosen") is True), offered[0])
                said.append(_turn(picked, field))
                offered = []
            if turn is not None:
                said.append(turn)
        if not out:
            raise BadRow("missing_label", field, "no response of a model")
        return out

    return parse


def _offered(
    prompt: Prompt, offered: list[Row], who: str | None, field: str, notes: Notes
) -> list[Record]:
    out: list[Record] = []
    members = tuple(
        Response(_turn(m, field).text, key_of(m.get("model_name"), f"{field}.model_name"))
        for m in offered
    )
    flags = [m.get("if_chosen") is True for m in offered]
    if len(members) > 1 and sum(flags) == 1:
        out.append(Listing(prompt, members, tuple(0 if f else None for f in flags), who))
    elif len(members) > 1:
        notes.append(("missing_label", f"{field}.if_chosen", flags))
    for message, member in zip(offered, members, strict=True):
        score = number_of(message.get("score"), f"{field}.score")
        out.append(Rating(prompt, member, score, "score", who))
    return out
