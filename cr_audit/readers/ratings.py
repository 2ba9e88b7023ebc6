"""Single responses with scores; no comparison is made from them unless it is asked for."""

from __future__ import annotations

from collections.abc import Callable

from cr_audit.readers import templates
from cr_audit.readers.fields import Binding, Notes, Row, missing, number_of, unpacked, word_of
from cr_audit.readers.pairs import Parser
from cr_audit.readers.records import BadRow, Prompt, Rating, Record, Response
from cr_audit.readers.transcripts import NotATurn, render, turns_of

_YES = frozenset(
    str.split(
        "true 1 yes desirable good thumbs_up thumbsup up like liked positive accepted chosen 👍"
    )
)
_NO = frozenset(
    str.split(
        "false 0 -1 no undesirable bad thumbs_down thumbsdown down dislike disliked "
        "negative rejected 👎"
    )
)


Read = Callable[[Row, Notes], Response]


def _asked(response: Read) -> Callable[[Row, Prompt, Notes], tuple[Prompt, Response]]:
    """A row's prompt and response; where there is no prompt and the response is a conversation in a
    template, the turns before its last one are the prompt."""

    def split(row: Row, prompt: Prompt, notes: Notes) -> tuple[Prompt, Response]:
        member = response(row, notes)
        text = member.text
        if prompt.text is not None or text is None or not templates.may_be_whole(text):
            return prompt, member
        turns = templates.parse(text) or []
        if len(turns) < 2 or turns[-1].role != "assistant" or not turns[-1].text:
            return prompt, member
        before = turns[:-1]
        return (
            Prompt(render(before), prompt.key, tuple(before)),
            member._replace(text=turns[-1].text),
        )

    return split


def rated_response(b: Binding) -> Parser:
    """Role ``text`` (with text_model, text_key) and ``score``, a number or {judge: number}.

    Options: aspects (further fields, each an aspect of its own), negate (a penalty: lower is
    better, stored with its sign changed and "negated" in the aspect's name).
    """
    prompt, response, annotator = b.prompt(), _asked(b.response("text")), b.annotator()
    sign = -1.0 if b.options.get("negate") else 1.0
    aspects = [(get, b.name("score")) for get in [b.get("score")] if get is not None]
    aspects += [
        (lambda row, name=name: row.get(name), name)  # type: ignore[misc]
        for name in b.options.get("aspects", ())
        if any(name in row for row in b.sample)
    ]
    ending = " (negated)" if sign < 0 else ""

    def parse(row: Row, notes: Notes) -> list[Record]:
        p, member = response(row, prompt(row, notes), notes)
        who = annotator(row)
        out: list[Record] = []
        for get, field in aspects:
            value = unpacked(get(row))
            if isinstance(value, dict):
                for judge, number in value.items():
                    score = number_of(number, field)
                    if score is None:
                        notes.append(("missing_label", field, value))
                    else:
                        out.append(Rating(p, member, sign * score, field, str(judge)))
                continue
            score = number_of(value, field)
            if score is None:
                notes.append(("missing_label", field, value))
            else:
                out.append(Rating(p, member, sign * score + 0.0, field + ending, who))
        return out or [Rating(p, member, None)]

    return parse


def thumbs(b: Binding) -> Parser:
    """Role ``text`` and a yes/no ``label``: a rating of 1 or 0 with the aspect "label"."""
    prompt, response, annotator = b.prompt(), _asked(b.response("text")), b.annotator()
    label, field = b.get("label"), b.name("label")
    assert label is not None

    def parse(row: Row, notes: Notes) -> list[Record]:
        value = label(row)
        if missing(value):
            raise BadRow("missing_label", field, value)
        word = word_of(value)
        if word not in _YES and word not in _NO:
            raise BadRow("unknown_label", field, value)
        p, member = response(row, prompt(row, notes), notes)
        return [Rating(p, member, float(word in _YES), "label", annotator(row))]

    return parse


def last_turn(b: Binding) -> Parser:
    """Role ``items``: a conversation whose last turn is rated by a yes/no ``label``."""
    items, field, annotator = b.get("items"), b.name("items"), b.annotator()
    label = b.get("label")
    assert items is not None
    assert label is not None

    def parse(row: Row, notes: Notes) -> list[Record]:
        value = label(row)
        if missing(value):
            raise BadRow("missing_label", b.name("label"), value)
        word = word_of(value)
        if word not in _YES and word not in _NO:
            raise BadRow("unknown_label", b.name("label"), value)
        messages = unpacked(items(row))
        if not isinstance(messages, list) or len(messages) < 2:
            raise BadRow("not_a_list", field, messages)
        try:
            turns = turns_of(messages)
        except NotATurn as error:
            raise BadRow("not_a_message", field, error.args[0]) from None
        p, member = Prompt(render(turns[:-1]), None, tuple(turns[:-1])), Response(turns[-1].text)
        return [Rating(p, member, float(word in _YES), "label", annotator(row))]

    return parse
