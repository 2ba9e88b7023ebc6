"""Shapes of many: ranked answers, choices among named alternatives, ballots, rated completions.

Lists stay lists: nothing here makes pairs. Where only the choice is known, the chosen member has
rank 0 and the others none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cr_audit.readers.fields import (
    Binding,
    Notes,
    Row,
    key_of,
    missing,
    number_of,
    text_of,
    unpacked,
)
from cr_audit.readers.pairs import Parser
from cr_audit.readers.records import (
    BadRow,
    Judgement,
    Listing,
    Prompt,
    Rating,
    Record,
    Response,
)

_NO_RANK = frozenset({"", "skipped", "undervote", "exhausted"})


def _first(item: Row, names: Sequence[str]) -> tuple[Any, str]:
    """The first field of ``names`` that the item has, and its name."""
    for name in names:
        if name in item:
            return item[name], name
    return None, names[0] if names else ""


def _member(item: Any, options: Any, field: str, notes: Notes) -> Response:
    """One entry of a list: a plain text, or an object with the fields that the options name."""
    if not isinstance(item, dict):
        return Response(text_of(item, field, notes))
    model, _ = _first(item, options.get("item_model", ()))
    key, key_name = _first(item, options.get("item_key", ()))
    names = options.get("item_text", ())
    if names and not any(n in item for n in names):  # a message, or parts of one
        return Response(text_of(item, field, notes), key_of(model, f"{field}.model"))
    value, name = _first(item, names)
    text = text_of(value, f"{field}.{name}", notes) if name else None
    return Response(text, key_of(model, f"{field}.model"), key_of(key, f"{field}.{key_name}"))


def dense_ranks(values: Sequence[float | None]) -> tuple[int | None, ...]:
    """Numbers (lower is better) to ranks 0, 1, …; equal numbers share a rank, None stays None."""
    order = {v: i for i, v in enumerate(sorted({v for v in values if v is not None}))}
    return tuple(None if v is None else order[v] for v in values)


def ranked_list(b: Binding) -> Parser:
    """Role ``items``: a list of objects with a text and a rank (or, failing that, a score).

    Options: item_text, item_model, item_key, item_rank (lower is better), item_score (higher is
    better), ratings (item fields kept as ratings: suffix match with a leading "*").
    """
    prompt, annotator, mass = b.prompt(), b.annotator(), b.mass()
    items, field, o = b.get("items"), b.name("items"), b.options
    assert items is not None

    def parse(row: Row, notes: Notes) -> list[Record]:
        values = unpacked(items(row))
        if not isinstance(values, list) or not all(isinstance(v, dict) for v in values):
            raise BadRow("not_a_list", field, values)
        if not values:
            raise BadRow("empty_list", field, values)
        p, who = prompt(row, notes), annotator(row)
        members = tuple(_member(v, o, field, notes) for v in values)
        order = [_order(v, o, field) for v in values]
        records: list[Record] = [Listing(p, members, dense_ranks(order), who, mass(row))]
        if all(v is None for v in order):
            raise BadRow("missing_label", field, "no rank in any entry")
        for item, member in zip(values, members, strict=True):
            records.extend(_item_ratings(item, member, p, who, o, field))
        return records

    return parse


def _order(item: Row, options: Any, field: str) -> float | None:
    rank, name = _first(item, options.get("item_rank", ()))
    number = number_of(rank, f"{field}.{name}") if name else None
    if number is None and options.get("item_score"):
        score, name = _first(item, options["item_score"])
        number = number_of(score, f"{field}.{name}")
        number = None if number is None else -number
    return number


def _item_ratings(
    item: Row, member: Response, prompt: Prompt, who: str | None, options: Any, field: str
) -> list[Record]:
    out: list[Record] = []
    for pattern in options.get("ratings", ()):
        for name in item:
            hit = name.endswith(pattern[1:]) if pattern[0] == "*" else name == pattern
            if hit and (score := number_of(item[name], f"{field}.{name}")) is not None:
                out.append(Rating(prompt, member, score, name, who))
    return out


def named_choice(b: Binding) -> Parser:
    """Role ``items``: objects with a name (option item_name); role ``label``: the chosen name.

    The case is the prompt and the name is the model: the same mode of travel offered twice is two
    alternatives of one model, because its attributes differ.
    """
    prompt, annotator, mass = b.prompt(), b.annotator(), b.mass()
    items, label = b.get("items"), b.get("label")
    assert items is not None
    assert label is not None
    field, label_field = b.name("items"), b.name("label")
    naming = b.options["item_name"]

    def parse(row: Row, notes: Notes) -> list[Record]:
        values = unpacked(items(row))
        if not isinstance(values, list) or len(values) < 2:
            raise BadRow("not_a_list", field, values)
        names = [key_of(_first(v, naming)[0] if isinstance(v, dict) else v, field) for v in values]
        if None in names:
            raise BadRow("missing_response", field, values)
        value = label(row)
        if missing(value):
            raise BadRow("missing_label", label_field, value)
        chosen = key_of(value, label_field)
        if names.count(chosen) != 1:
            raise BadRow("unknown_label", label_field, value)
        members = tuple(Response(None, name) for name in names)
        ranks = tuple(0 if name == chosen else None for name in names)
        return [Listing(prompt(row, notes), members, ranks, annotator(row), mass(row))]

    return parse


def ballot(b: Binding) -> Parser:
    """Role ``ranking``: names, best first; a list inside it is an overvote (a tied rank).

    A name that comes again is dropped where it comes again; skipped ranks are passed over.
    """
    prompt, annotator, mass = b.prompt(), b.annotator(), b.mass()
    get, field = b.get("ranking"), b.name("ranking")
    assert get is not None

    def parse(row: Row, notes: Notes) -> list[Record]:
        places = unpacked(get(row))
        if not isinstance(places, list):
            raise BadRow("not_a_list", field, places)
        ranks: dict[str, int] = {}
        for place in places:
            tied = place if isinstance(place, list) else [place]
            if len(tied) > 1:
                notes.append(("overvote", field, place))
            rank = len(set(ranks.values()))
            for entry in tied:
                name = key_of(entry, field)
                if name is None or name.lower() in _NO_RANK:
                    notes.append(("skipped_rank", field, entry))
                elif name.lower() == "overvote":
                    notes.append(("overvote", field, entry))
                elif name in ranks:
                    notes.append(("repeated_candidate", field, entry))
                else:
                    ranks[name] = rank
        if not ranks:
            raise BadRow("empty_list", field, places)
        members = tuple(Response(None, name) for name in ranks)
        order = tuple(ranks.values())
        return [Listing(prompt(row, notes), members, order, annotator(row), mass(row))]

    return parse


def rank_table(b: Binding) -> Parser:
    """Role ``ranks``: an object name -> rank, 1 best; a null rank is not ranked."""
    prompt, annotator, mass = b.prompt(), b.annotator(), b.mass()
    get, field = b.get("ranks"), b.name("ranks")
    assert get is not None

    def parse(row: Row, notes: Notes) -> list[Record]:
        table = unpacked(get(row))
        if not isinstance(table, dict) or not table:
            raise BadRow("not_an_object", field, table)
        numbers = [number_of(v, field) for v in table.values()]
        if all(n is None for n in numbers):
            raise BadRow("missing_label", field, table)
        if None in numbers:
            notes.append(("not_ranked", field, table))
        members = tuple(Response(None, str(name).strip()) for name in table)
        p = prompt(row, notes)
        return [Listing(p, members, dense_ranks(numbers), annotator(row), mass(row))]

    return parse


def rated_completions(b: Binding) -> Parser:
    """UltraFeedback: completions[{response, model?, annotations: {aspect: {Rating}}}]."""
    prompt, items, field = b.prompt(), b.get("items"), b.name("items")
    models = b.get("models")
    assert items is not None

    def parse(row: Row, notes: Notes) -> list[Record]:
        values = unpacked(items(row))
        if not isinstance(values, list) or not values:
            raise BadRow("not_a_list", field, values)
        names = unpacked(models(row)) if models else None
        p = prompt(row, notes)
        out: list[Record] = []
        for i, item in enumerate(values):
            if not isinstance(item, dict):
                raise BadRow("not_an_object", field, item)
            model = item.get("model")
            if model is None and isinstance(names, list) and i < len(names):
                model = names[i]
            text = text_of(item.get("response"), f"{field}.response", notes)
            member = Response(text, key_of(model, f"{field}.model"))
            scores = _aspects(item, field, notes)
            out += [Rating(p, member, s, a) for a, s in scores] or [Rating(p, member, None)]
        return out

    return parse


def _aspects(item: Row, field: str, notes: Notes) -> list[tuple[str, float]]:
    out = []
    annotations = item.get("annotations")
    for aspect, value in annotations.items() if isinstance(annotations, dict) else ():
        rating = value.get("Rating") if isinstance(value, dict) else value
        if isinstance(rating, str) and rating.strip().upper() in ("N/A", "NA"):
            rating = None
        score = number_of(rating, f"{field}.annotations.{aspect}")
        if score is None:
            notes.append(("missing_label", f"{field}.annotations.{aspect}", rating))
        else:
            out.append((str(aspect), score))
    overall = number_of(item.get("overall_score"), f"{field}.overall_score")
    return [*out, ("overall_score", overall)] if overall is not None else out


def parallel(b: Binding) -> Parser:
    """Role ``items``, a list of responses, beside lists of equal length: ``item_scores`` (higher is
    better: one rating each), ``item_ranks`` (lower is better), ``models``; or beside
    ``item_order``, which names them best first (by place, from 0 or 1, by text or by model).

    Role ``ranking`` is one of the last two and does not say which: rows in which both readings
    agree are read, others are BadRow("ambiguous_ranking").
    """
    prompt, annotator, mass = b.prompt(), b.annotator(), b.mass()
    items, field, o = b.get("items"), b.name("items"), b.options
    models = b.get("models")
    assert items is not None
    sides = {r: (get, b.name(r)) for r in _PARALLEL if (get := b.get(r)) is not None}
    reasons = {
        "item_ranks": _by_rank,
        "item_order": _by_order,
        "ranking": _by_either,
    }

    def parse(row: Row, notes: Notes) -> list[Record]:
        values = unpacked(items(row))
        if not isinstance(values, list):
            raise BadRow("not_a_list", field, values)
        if not values:
            raise BadRow("empty_list", field, values)
        p, who = prompt(row, notes), annotator(row)
        names = _parallel(models, row, b.name("models"), len(values)) or [None] * len(values)
        members = [
            m if (m := _member(v, o, field, notes)).model else m._replace(model=key_of(n, field))
            for v, n in zip(values, names, strict=True)
        ]
        out: list[Record] = []
        for role, (get, name) in sides.items():
            told = _parallel(get, row, name, len(values))
            if told is None:
                continue
            if role == "item_scores":
                scores = [number_of(v, name) for v in told]
                if all(s is None for s in scores):
                    continue
                out += [Rating(p, m, s, name, who) for m, s in zip(members, scores, strict=True)]
            else:
                ranks = reasons[role](told, members, name, _ids(values, o))
                out.append(Listing(p, tuple(members), ranks, who, mass(row)))
        if not out:
            raise BadRow("missing_label", next(iter(sides.values()))[1], None)
        return out

    return parse


_PARALLEL = ("item_ranks", "item_order", "ranking", "item_scores")


def _parallel(get: Any, row: Row, field: str, n: int) -> list[Any] | None:
    """A list as long as the items'; None if there is none."""
    value = None if get is None else unpacked(get(row))
    if missing(value):
        return None
    if not isinstance(value, list) or len(value) != n:
        raise BadRow("not_parallel", field, value)
    return value


Ids = Sequence[str | None]


def _ids(values: Sequence[Any], options: Any) -> list[str | None]:
    """What the entries of a list call themselves; by that an order may name them."""
    names = options.get("item_id", ())
    return [key_of(_first(v, names)[0], "id") if isinstance(v, dict) else None for v in values]


def _by_rank(
    told: Sequence[Any], members: Sequence[Response], field: str, ids: Ids
) -> tuple[int | None, ...]:
    return dense_ranks([number_of(v, field) for v in told])


def _by_order(
    told: Sequence[Any], members: Sequence[Response], field: str, ids: Ids
) -> tuple[int | None, ...]:
    places = _places(told, members, ids)
    if places is None:
        raise BadRow("not_an_order", field, told)
    ranks: list[int | None] = [None] * len(members)
    for rank, place in enumerate(places):
        ranks[place] = rank
    return tuple(ranks)


def _places(told: Sequence[Any], members: Sequence[Response], ids: Ids) -> list[int] | None:
    """Which member stands at each place of an order; None if the list is no order of them."""
    said = [key_of(v, "order") for v in told]
    if None not in ids and len(set(ids)) == len(ids) and set(said) == set(ids):
        return [ids.index(v) for v in said]
    texts = [m.text for m in members]
    names = [m.model for m in members]
    for known in (texts, names):
        if all(isinstance(v, str) and known.count(v) == 1 for v in told):
            return [known.index(v) for v in told]
    try:
        numbers = [int(v) for v in told if float(v).is_integer()]
    except (TypeError, ValueError, OverflowError):
        return None
    first = min(numbers, default=0)
    if first in (0, 1) and sorted(numbers) == list(range(first, first + len(members))):
        return [n - first for n in numbers]
    return None


def _by_either(
    told: Sequence[Any], members: Sequence[Response], field: str, ids: Ids
) -> tuple[int | None, ...]:
    places = _places(told, members, ids)
    if places is None:
        return _by_rank(told, members, field, ids)
    by_order = _by_order(told, members, field, ids)
    if all(isinstance(v, str) and not v.strip().isdigit() for v in told):
        return by_order
    try:
        by_rank = _by_rank(told, members, field, ids)
    except BadRow:  # names of the entries
        return by_order
    if by_order != by_rank:
        raise BadRow("ambiguous_ranking", field, told)
    return by_order


def ordered(b: Binding) -> Parser:
    """Role ``ordered``: a list of responses, best first. Two are one comparison."""
    prompt, annotator, mass = b.prompt(), b.annotator(), b.mass()
    get, field, o = b.get("ordered"), b.name("ordered"), b.options
    assert get is not None

    def parse(row: Row, notes: Notes) -> list[Record]:
        values = unpacked(get(row))
        if not isinstance(values, list):
            raise BadRow("not_a_list", field, values)
        if len(values) < 2:
            raise BadRow("empty_list", field, values)
        p, who = prompt(row, notes), annotator(row)
        members = tuple(_member(v, o, field, notes) for v in values)
        if len(members) == 2:
            return [Judgement(p, members[0], members[1], 1.0, who, None, mass(row))]
        return [Listing(p, members, tuple(range(len(members))), who, mass(row))]

    return parse


def sampled(b: Binding) -> Parser:
    """lm-human-preferences: query, sample0 … (texts or token ids) and ``best``, an index."""
    prompt, annotator, label = b.prompt(), b.annotator(), b.get("label")
    field = b.name("label")
    assert label is not None
    names: list[str] = b.options["samples"]

    def response(row: Row, name: str, notes: Notes) -> Response:
        value = row.get(name)
        if isinstance(value, list):  # token ids: known by what they are, not by a text
            notes.append(("token_ids", name, value[:8]))
            return Response(None, None, " ".join(map(str, value)))
        return Response(text_of(value, name, notes))

    def parse(row: Row, notes: Notes) -> list[Record]:
        best = number_of(label(row), field)
        if best is None:
            raise BadRow("missing_label", field, None)
        present = [n for n in names if not missing(row.get(n))]
        if not best.is_integer() or not 0 <= best < len(present):
            raise BadRow("unknown_label", field, best)
        members = tuple(response(row, n, notes) for n in present)
        ranks = tuple(0 if i == int(best) else None for i in range(len(members)))
        query = row.get(b.name("prompt"))
        if isinstance(query, list) and all(isinstance(q, int) for q in query):
            p = Prompt(None, " ".join(map(str, query)))
        else:
            p = prompt(row, notes)
        return [Listing(p, members, ranks, annotator(row))]

    return parse
