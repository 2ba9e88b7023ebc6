"""Shapes of two: a chosen and a rejected response, or two responses and a label or two scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cr_audit.readers.fields import (
    WORDS,
    Binding,
    Labels,
    Notes,
    Row,
    missing,
    number_of,
    text_of,
    unpacked,
)
from cr_audit.readers.records import (
    BadRow,
    Judgement,
    Listing,
    Prompt,
    Rating,
    Record,
    Response,
)
from cr_audit.readers.transcripts import (
    NotATurn,
    Turn,
    cut_texts,
    cut_turns,
    has_marker,
    is_messages,
    render,
    turns_of,
)

Parser = Callable[[Row, Notes], list[Record]]


def _turns(value: Any, field: str) -> list[Turn]:
    try:
        return turns_of(value)
    except NotATurn as error:
        raise BadRow("not_a_message", field, error.args[0]) from None


def cut_conversations(
    left: Any, right: Any, fields: tuple[str, str], prompt: Prompt, notes: Notes
) -> tuple[Prompt, str, str]:
    """Whole conversations to (prompt, left tail, right tail); what they share is the prompt.

    Texts are cut only where the row gives no prompt of its own.
    """
    if is_messages(left) and is_messages(right):
        shared, a, b = cut_turns(_turns(left, fields[0]), _turns(right, fields[1]))
        if shared:
            prompt = Prompt(render(shared), prompt.key)
        return prompt, render(a), render(b)
    a_text, b_text = text_of(left, fields[0], notes), text_of(right, fields[1], notes)
    if prompt.text is None:
        cut = cut_texts(a_text, b_text)
        if cut is not None:
            return Prompt(cut[0], prompt.key), cut[1], cut[2]
        if has_marker(a_text) or has_marker(b_text):
            notes.append(("no_shared_prompt", fields[0], a_text))
    return prompt, a_text, b_text


def chosen_rejected(b: Binding) -> Parser:
    """Roles chosen, rejected (text, message, messages, or lists of texts = two tiers)."""
    prompt, annotator, mass = b.prompt(), b.annotator(), b.mass()
    chosen, rejected = b.get("chosen"), b.get("rejected")
    assert chosen is not None
    assert rejected is not None
    names = (b.name("chosen"), b.name("rejected"))
    models = (b.keys("chosen_model"), b.keys("rejected_model"))
    keys = (b.keys("chosen_key"), b.keys("rejected_key"))
    scores = tuple(
        (get, b.name(r)) for r in ("chosen_score", "rejected_score") if (get := b.get(r))
    )
    plain = len(b.fields.keys() & {"chosen_model", "rejected_model", "chosen_key", "rejected_key"})
    has_prompt = "prompt" in b.fields

    def parse(row: Row, notes: Notes) -> list[Record]:
        p = prompt(row, notes)
        won, lost = chosen(row), rejected(row)
        if type(won) is not str or type(lost) is not str:
            won, lost = unpacked(won), unpacked(lost)
            if _texts(won) and _texts(lost):
                return [_two_tiers(p, won, lost, annotator(row), mass(row), names, notes)]
            p, won, lost = cut_conversations(won, lost, names, p, notes)
        elif not has_prompt or p.text is None:
            p, won, lost = cut_conversations(won, lost, names, p, notes)
        if plain:
            left = Response(won, models[0](row), keys[0](row))
            right = Response(lost, models[1](row), keys[1](row))
        else:
            left, right = Response(won), Response(lost)
        records: list[Record] = [Judgement(p, left, right, 1.0, annotator(row), None, mass(row))]
        if scores:
            for response, (get, field) in zip((left, right), scores, strict=False):
                score = number_of(get(row), field)
                if score is not None:
                    records.append(Rating(p, response, score, "score", annotator(row)))
        return records

    return parse


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and not is_messages(value)


def _two_tiers(
    prompt: Prompt,
    won: list[Any],
    lost: list[Any],
    annotator: str | None,
    mass: float,
    names: tuple[str, str],
    notes: Notes,
) -> Listing:
    members = [Response(text_of(v, names[0], notes)) for v in won]
    members += [Response(text_of(v, names[1], notes)) for v in lost]
    ranks = (0,) * len(won) + (1,) * len(lost)
    return Listing(prompt, tuple(members), ranks, annotator, mass)


def _sides(b: Binding) -> Callable[[Row, Notes], tuple[Prompt, Response, Response]]:
    """Prompt, left and right of a row; whole conversations (option ``conversations``) are cut."""
    prompt, left, right = b.prompt(), b.response("left"), b.response("right")
    if not b.options.get("conversations"):
        return lambda row, notes: (prompt(row, notes), left(row, notes), right(row, notes))
    a, z = b.get("left"), b.get("right")
    assert a is not None
    assert z is not None
    names = (b.name("left"), b.name("right"))
    models = (b.keys("left_model"), b.keys("right_model"))

    def cut(row: Row, notes: Notes) -> tuple[Prompt, Response, Response]:
        p, x, y = cut_conversations(
            unpacked(a(row)), unpacked(z(row)), names, prompt(row, notes), notes
        )
        return p, Response(x, models[0](row)), Response(y, models[1](row))

    return cut


def _shown_first(b: Binding) -> Callable[[Row], bool | None]:
    """Whether left was shown first: a fixed option, or role ``order`` with AB or BA."""
    order, field = b.get("order"), b.name("order")
    fixed: bool | None = b.options.get("left_first")
    if order is None:
        return lambda row: fixed

    def first(row: Row) -> bool | None:
        value = order(row)
        if missing(value):
            return None
        word = str(value).strip().upper()
        if word not in ("AB", "BA"):
            raise BadRow("unknown_order", field, value)
        return word == "AB"

    return first


def label_words(b: Binding) -> dict[str, float]:
    """The schema's words over the common ones; ``exact`` schemas know only their own."""
    own: dict[str, float] = b.options.get("words", {})
    return own if b.options.get("exact") else {**WORDS, **own}


def labelled_pair(b: Binding) -> Parser:
    """Roles left, right (or their models or keys) and label.

    Options: words (label -> share of left), votes ((field, annotator or None, left_first), …) for
    several labels per row, relative (labels speak of the shown order), threshold (labels are
    numbers from 1 = left to 2 = right), sign ("negative" or "positive" numbers mean left).
    """
    sides, annotator, mass, first = _sides(b), b.annotator(), b.mass(), _shown_first(b)
    read = _label_reader(b)
    relative = bool(b.options.get("relative"))
    votes = b.options.get("votes")
    label = b.get("label")
    if votes:
        return _several_votes(b, sides, read, votes)
    assert label is not None
    field = b.name("label")

    def parse(row: Row, notes: Notes) -> list[Record]:
        value = label(row)
        if value is None:
            raise BadRow("missing_label", field, value)
        p, left, right = sides(row, notes)
        share = read(value, field, left, right, notes)
        left_first = first(row)
        if relative and left_first is False:
            share = 1.0 - share
        return [Judgement(p, left, right, share, annotator(row), left_first, mass(row))]

    return parse


LabelReader = Callable[[Any, str, Response, Response, Notes], float]


def _label_reader(b: Binding) -> LabelReader:
    labels = Labels(label_words(b))
    threshold, sign = b.options.get("threshold"), b.options.get("sign")
    fields = (b.fields.get("left"), b.fields.get("right"))

    def by_word(value: Any, field: str, left: Response, right: Response, notes: Notes) -> float:
        return labels.share(
            value,
            field,
            (fields[0], left.model, left.key, left.text),
            (fields[1], right.model, right.key, right.text),
        )

    def by_number(value: Any, field: str, left: Response, right: Response, notes: Notes) -> float:
        number = number_of(value, field)
        if number is None:
            raise BadRow("missing_label", field, value)
        if sign:
            number = -number if sign == "negative" else number
            return 0.5 if number == 0 else float(number > 0)
        if number != 0 and not 1 <= number <= 2:  # 0 is a tie in the AlpacaFarm data
            raise BadRow("unknown_label", field, value)
        if number not in (0, 1, 1.5, 2):
            notes.append(("soft_label", field, value))
        return 0.5 if number in (0, 1.5) else float(number < 1.5)

    return by_number if threshold or sign else by_word


def _several_votes(b: Binding, sides: Any, read: LabelReader, votes: Any) -> Parser:
    annotator, mass = b.annotator(), b.mass()

    def parse(row: Row, notes: Notes) -> list[Record]:
        p, left, right = sides(row, notes)
        who, weight = annotator(row), mass(row)
        records: list[Record] = []
        bad: BadRow | None = None
        for field, name, left_first in votes:
            try:
                share = read(row.get(field), field, left, right, notes)
            except BadRow as error:
                bad = bad or error
                notes.append((error.reason, field, error.found))
                continue
            records.append(Judgement(p, left, right, share, name or who, left_first, weight))
        if not records and bad is not None:
            raise bad
        return records

    return parse


def one_hot_pair(b: Binding) -> Parser:
    """Roles left, right and three columns left_won, right_won, tie_won of which one is 1."""
    sides, annotator, mass, first = _sides(b), b.annotator(), b.mass(), _shown_first(b)
    columns = [
        (get, b.name(role), share)
        for role, share in (("left_won", 1.0), ("right_won", 0.0), ("tie_won", 0.5))
        if (get := b.get(role))
    ]

    def parse(row: Row, notes: Notes) -> list[Record]:
        values = [(number_of(get(row), field), share) for get, field, share in columns]
        if all(v is None for v, _ in values):
            raise BadRow("missing_label", columns[0][1], None)
        set_ones = [share for v, share in values if v]
        if len(set_ones) != 1 or any(v not in (None, 0.0, 1.0) for v, _ in values):
            raise BadRow("unknown_label", columns[0][1], [v for v, _ in values])
        p, left, right = sides(row, notes)
        return [Judgement(p, left, right, set_ones[0], annotator(row), first(row), mass(row))]

    return parse


def scored_pair(b: Binding) -> Parser:
    """Roles left, right and left_score, right_score, or both scores as a list in ``scores``.

    The higher score wins, equal scores are a tie. Option ``no_score``: a value that stands for a
    score that could not be read (missing, never a tie).
    """
    sides, annotator, mass, first = _sides(b), b.annotator(), b.mass(), _shown_first(b)
    both = b.get("scores")
    a, z = b.get("left_score"), b.get("right_score")
    field = b.name("scores") if both is not None else b.name("left_score")
    no_score = b.options.get("no_score")

    def parse(row: Row, notes: Notes) -> list[Record]:
        if both is not None:
            pair = unpacked(both(row))
            if missing(pair):
                raise BadRow("missing_label", field, pair)
            if not isinstance(pair, list) or len(pair) != 2:
                raise BadRow("not_two_scores", field, pair)
        else:
            assert a is not None
            assert z is not None
            pair = [a(row), z(row)]
        scores = [number_of(v, field) for v in pair]
        if scores[0] is None or scores[1] is None or no_score in scores:
            raise BadRow("missing_label", field, pair)
        share = 0.5 if scores[0] == scores[1] else float(scores[0] > scores[1])
        p, left, right = sides(row, notes)
        return [Judgement(p, left, right, share, annotator(row), first(row), mass(row))]

    return parse


def picked_summary(b: Binding) -> Parser:
    """Responses in ``items`` (with text, policy) and the index of the best in ``label``."""
    prompt, annotator, mass = b.prompt(), b.annotator(), b.mass()
    items, label = b.get("items"), b.get("label")
    assert items is not None
    assert label is not None
    names = (b.name("items"), b.name("label"))

    def parse(row: Row, notes: Notes) -> list[Record]:
        values = unpacked(items(row))
        if not isinstance(values, list) or len(values) < 2:
            raise BadRow("not_a_list", names[0], values)
        number = number_of(label(row), names[1])
        if number is None:
            raise BadRow("missing_label", names[1], None)
        if not number.is_integer() or not 0 <= number < len(values):
            raise BadRow("unknown_label", names[1], number)
        members = tuple(
            Response(
                text_of(v, names[0], notes),
                v.get("policy")
                if isinstance(v, dict) and isinstance(v.get("policy"), str)
                else None,
            )
            for v in values
        )
        p, best = prompt(row, notes), int(number)
        if len(members) == 2:
            share = float(best == 0)
            return [Judgement(p, members[0], members[1], share, annotator(row), None, mass(row))]
        ranks = tuple(0 if i == best else None for i in range(len(members)))
        return [Listing(p, members, ranks, annotator(row), mass(row))]

    return parse


def pandalm(b: Binding) -> Parser:
    """A labelled pair whose two models stand in one field, ``<left>_<right>``.

    A name may itself hold underscores; then the split is not known and both models stay unnamed.
    """
    inner, models, field = labelled_pair(b), b.get("models"), b.name("models")
    assert models is not None

    def parse(row: Row, notes: Notes) -> list[Record]:
        records = inner(row, notes)
        value = models(row)
        names = value.split("_") if isinstance(value, str) else []
        if len(names) != 2:
            notes.append(("models_unknown", field, value))
            return records
        return [
            r._replace(left=r.left._replace(model=names[0]), right=r.right._replace(model=names[1]))
            if isinstance(r, Judgement)
            else r
            for r in records
        ]

    return parse
