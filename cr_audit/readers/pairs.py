"""Shapes of two: a chosen and a rejected response, or two responses and a label or two scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cr_audit.data.identity import canonical
from cr_audit.readers import templates
from cr_audit.readers.fields import (
    Binding,
    Labels,
    Notes,
    Row,
    key_of,
    missing,
    number_of,
    text_of,
    unpacked,
    word_of,
)
from cr_audit.readers.parsing import messages_in
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
    joined,
    plain_turns,
    render,
    shared_prefix,
    turns_of,
)
from cr_audit.readers.turns import is_call

Parser = Callable[[Row, Notes], list[Record]]
_HUMAN = ("\n\nHuman:", "Human:")


def _turns(value: Any, field: str) -> list[Turn]:
    try:
        return turns_of(value)
    except NotATurn as error:
        raise BadRow("not_a_message", field, error.args[0]) from None


def _own(prompt: Prompt) -> list[Turn]:
    """The turns of a row's own prompt."""
    if prompt.text is None:
        return []
    return list(prompt.turns) if prompt.turns else [Turn("user", prompt.text)]


def _under(prompt: Prompt, shared: list[Turn]) -> Prompt:
    """The row's own prompt, followed by what both responses begin with."""
    if not shared:
        return prompt
    first = shared[0]
    once = len(shared) == 1 and prompt.turns is None and first.text == prompt.text
    if once and first.role == "user":  # nearly all: the question, said once more
        return prompt
    turns = joined(_own(prompt), shared) if prompt.text is not None else shared
    return Prompt(render(turns), prompt.key, tuple(turns))


def cut_conversations(
    left: Any,
    right: Any,
    fields: tuple[str, str],
    prompt: Prompt,
    notes: Notes,
    *,
    bare_prefix: bool = False,
) -> tuple[Prompt, str, str]:
    """Whole conversations to (prompt, left tail, right tail); what both begin with is the prompt,
    behind the prompt that the row gives itself.

    Written-out conversations count as such if they bear a template's markers; bare_prefix : else
    the common beginning of two bare texts is the prompt where the row gives none.
    """
    a_turns, b_turns = _as_turns(left, fields[0]), _as_turns(right, fields[1])
    if a_turns is None and b_turns is None:
        a_text, b_text = text_of(left, fields[0], notes), text_of(right, fields[1], notes)
        if prompt.text is None:
            return _cut_bare(a_text, b_text, fields, prompt, notes, bare_prefix=bare_prefix)
        if a_text.startswith(_HUMAN) and b_text.startswith(_HUMAN):
            cut = cut_texts(a_text, b_text)
            if cut is not None:
                return _under(prompt, cut[0]), cut[1], cut[2]
        if templates.may_hold_tokens(a_text) or templates.may_hold_tokens(b_text):
            return _cut_marked(a_text, b_text, prompt)
        return prompt, a_text, b_text
    a_turns = a_turns or [Turn("assistant", text_of(left, fields[0], notes))]
    b_turns = b_turns or [Turn("assistant", text_of(right, fields[1], notes))]
    shared, a, b = cut_turns(a_turns, b_turns)
    if not shared and prompt.text is None:
        notes.append(("no_shared_prompt", fields[0], a_turns[0].text))
    return _under(prompt, shared), render(a), render(b)


def _as_turns(value: Any, field: str) -> list[Turn] | None:
    plain = plain_turns(value)
    if plain is not None:
        return plain
    if isinstance(value, dict):
        if "role" in value or "from" in value:
            return _turns([value], field)
        value = value.get("messages", value.get("conversation"))
    return _turns(value, field) if is_messages(value) else None


def _cut_bare(
    left: str,
    right: str,
    fields: tuple[str, str],
    prompt: Prompt,
    notes: Notes,
    *,
    bare_prefix: bool,
) -> tuple[Prompt, str, str]:
    """Two texts in a row without a prompt."""
    cut = cut_texts(left, right)
    if cut is not None:
        shared, a, b = cut
        turns = tuple(shared)
        return Prompt(render(shared), prompt.key, turns), a, b
    if has_marker(left) or has_marker(right):
        notes.append(("no_shared_prompt", fields[0], left))
    elif bare_prefix:
        at = shared_prefix(left, right)
        if at:
            notes.append(("prompt_from_prefix", fields[0], left[:at]))
            return Prompt(left[:at].rstrip(), prompt.key), left[at:], right[at:]
        notes.append(("no_shared_prompt", fields[0], left))
    return prompt, left, right


def _begins_marked(text: str) -> list[Turn] | None:
    """The turns of a text that begins with a template's marker. One that only holds a marker is an
    answer in which a model let it slip."""
    return templates.parse(text, words=False) if text.lstrip()[:1] in ("<", "[") else None


def _cut_marked(left: str, right: str, prompt: Prompt) -> tuple[Prompt, str, str]:
    """Two responses in a chat template beside a prompt of the row's own: an answer alone loses its
    markers, a whole conversation its common turns."""
    a, b = _begins_marked(left), _begins_marked(right)
    if a is None or b is None:  # one side: its own turn has markers, or a marker slipped out
        return (
            prompt,
            render(a) if a is not None and a[0].role == "assistant" else left,
            render(b) if b is not None and b[0].role == "assistant" else right,
        )
    shared, a, b = cut_turns(a, b)
    return _under(prompt, shared), render(a), render(b)


def _without_answer(prompt: Prompt, won: str, lost: str) -> Prompt:
    """A prompt that is a whole conversation and ends with one of the two answers, without it."""
    turns = prompt.turns
    if not turns or len(turns) < 2 or turns[-1].role != "assistant":
        return prompt
    if canonical(turns[-1].text) not in (canonical(won), canonical(lost)):
        return prompt
    return Prompt(render(turns[:-1]), prompt.key, tuple(turns[:-1]))


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
    margin = b.get("margin")
    tied = _tie_flag(b)
    plain = len(b.fields.keys() & {"chosen_model", "rejected_model", "chosen_key", "rejected_key"})
    who = b.fields.keys() & {"annotator", "annotator_2"}
    bare = bool(b.options.get("bare_prefix"))
    asked = b.get("prompt")
    whole = templates.may_be_whole

    def parse(row: Row, notes: Notes) -> list[Record]:
        p = prompt(row, notes)
        won, lost = chosen(row), rejected(row)
        bare_texts = type(won) is str and type(lost) is str
        if not bare_texts or won[:1] in _OPENS or lost[:1] in _OPENS or won.startswith("array(["):
            won = won if type(won) is list else messages_in(won)
            lost = lost if type(lost) is list else messages_in(lost)
            bare_texts = type(won) is str and type(lost) is str
        if bare_texts and p.text is None and not bare and not whole(won) and not whole(lost):
            pass  # nothing to cut
        elif not bare_texts:
            if _texts(won) and _texts(lost):
                return [_two_tiers(p, won, lost, annotator(row), mass(row), names, notes)]
            p, won, lost = cut_conversations(won, lost, names, p, notes)
        elif p.text is None:
            p, won, lost = cut_conversations(won, lost, names, p, notes, bare_prefix=bare)
        elif "<" in won or "<" in lost or "[/INST]" in won or won[:8].lstrip()[:6] == "Human:":
            if asked is not None and _opens(asked(row)):
                won, lost = templates.closed(won), templates.closed(lost)
            else:
                won, lost = templates.ended(won), templates.ended(lost)
            p, won, lost = cut_conversations(won, lost, names, p, notes)
        if p.turns and len(p.turns) > 1:
            p = _without_answer(p, won, lost)
        if plain:
            left = Response(won, models[0](row), keys[0](row))
            right = Response(lost, models[1](row), keys[1](row))
        else:
            left, right = Response(won), Response(lost)
        by = annotator(row) if who else None
        share = 0.5 if tied is not None and tied(row) else 1.0
        records: list[Record] = [Judgement(p, left, right, share, by, None, mass(row))]
        if scores:
            found = [number_of(get(row), field) for get, field in scores]
            for response, score in zip((left, right), found, strict=False):
                if score is not None:
                    records.append(Rating(p, response, score, "score", by))
            if len(found) == 2 and None not in found and found[0] < found[1]:  # type: ignore[operator]
                notes.append(("rating_contradicts", scores[0][1], found))
        if margin is not None:
            ahead = _number(margin(row))
            if ahead is not None and ahead < 0:
                notes.append(("rating_contradicts", b.name("margin"), ahead))
        return records

    return parse


def _number(value: Any) -> float | None:
    """A number, None for anything else."""
    try:
        return number_of(value, "")
    except BadRow:
        return None


_OPENS = frozenset('[{( \n"')


def _opens(prompt: Any) -> bool:
    """Whether a prompt is written in a chat template, so that the response closes its turn."""
    return isinstance(prompt, str) and templates.may_hold_tokens(prompt)


_TRUE = frozenset({"true", "1", "yes", "y", "tie"})
_FALSE = frozenset({"false", "0", "no", "n"})


def _tie_flag(b: Binding) -> Callable[[Row], bool] | None:
    """Role ``tie_flag``: a column that says of each row whether it is a tie."""
    get = b.get("tie_flag")
    if get is None:
        return None

    def tied(row: Row) -> bool:
        value = get(row)
        return isinstance(value, bool | int | float | str) and word_of(value) in _TRUE

    return tied


def _texts(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and not is_messages(value)
        and not all(isinstance(v, dict) and ("type" in v or is_call(v)) for v in value)
    )


def _two_tiers(
    prompt: Prompt,
    won: list[Any],
    lost: list[Any],
    annotator: str | None,
    mass: float,
    names: tuple[str, str],
    notes: Notes,
) -> Record:
    winners = [Response(text_of(v, names[0], notes)) for v in won]
    losers = [Response(text_of(v, names[1], notes)) for v in lost]
    if len(winners) == len(losers) == 1:  # a column that wraps each answer in a list
        return Judgement(prompt, winners[0], losers[0], 1.0, annotator, None, mass)
    ranks = (0,) * len(won) + (1,) * len(lost)
    return Listing(prompt, (*winners, *losers), ranks, annotator, mass)


def _sides(b: Binding) -> Callable[[Row, Notes], tuple[Prompt, Response, Response]]:
    """Prompt, left and right of a row. Whole conversations (option ``conversations``, or sides that
    are message lists) are cut; rounds (lists of questions and of answers) are conversations."""
    prompt, left, right = b.prompt(), b.response("left"), b.response("right")
    a, z = b.get("left"), b.get("right")
    names = (b.name("left"), b.name("right"))
    models = (b.keys("left_model"), b.keys("right_model"))
    keys = (b.keys("left_key"), b.keys("right_key"))
    if a is None or z is None:
        return lambda row, notes: (prompt(row, notes), left(row, notes), right(row, notes))
    whole = bool(b.options.get("conversations"))
    may_be_whole = templates.may_be_whole
    asked = b.get("prompt")
    turn = b.get("turn") if whole else None

    def sides(row: Row, notes: Notes) -> tuple[Prompt, Response, Response]:
        x, y = messages_in(a(row)), messages_in(z(row))
        texts = type(x) is str and type(y) is str and not whole
        plain = texts and x[:1] not in ("[", "<") and y[:1] not in ("[", "<")
        if plain and not (may_be_whole(x) and may_be_whole(y)):
            return prompt(row, notes), left(row, notes), right(row, notes)
        rounds = None if asked is None else _rounds(asked(row), x, y)
        if rounds is not None:
            p = Prompt(None, prompt(row, notes).key)
            x, y = rounds
        else:
            p = prompt(row, notes)
        if turn is not None and is_messages(x) and is_messages(y):
            x, y = _until(x, y, turn(row), notes)
        bare = not is_messages(x) and not is_messages(y)
        if (
            not whole
            and bare
            and p.text is None
            and not (has_marker(str(x)) and has_marker(str(y)))
        ):
            return p, left(row, notes), right(row, notes)
        p, said, other = cut_conversations(x, y, names, p, notes)
        return (
            p,
            Response(said, models[0](row), keys[0](row)),
            Response(other, models[1](row), keys[1](row)),
        )

    return sides


def _rounds(asked: Any, left: Any, right: Any) -> tuple[list[Row], list[Row]] | None:
    """Three lists of texts, one entry per round, as two conversations; None if they are not."""
    lists = [
        unpacked(v) if isinstance(v, str) and v[:1] == "[" else v for v in (asked, left, right)
    ]
    if not all(isinstance(v, list) and v for v in lists) or len({len(v) for v in lists}) != 1:
        return None
    if not all(v is None or isinstance(v, str) for entries in lists for v in entries):
        return None
    questions, *answers = lists
    first, second = (
        [
            {"role": role, "content": said or ""}
            for pair in zip(questions, answer, strict=True)
            for role, said in zip(("user", "assistant"), pair, strict=True)
        ]
        for answer in answers
    )
    return first, second


def _until(left: Any, right: Any, turn: Any, notes: Notes) -> tuple[Any, Any]:
    """Both conversations up to the end of the judged turn, counted in user turns from 1."""
    try:
        number = 0 if isinstance(turn, bool) else number_of(turn, "turn") or 0
    except BadRow:
        number = 0
    if number < 1 or number != int(number):
        return left, right
    out = []
    for messages in (left, right):
        asked = 0
        for i, message in enumerate(messages):
            said = message.get("role", message.get("from")) if isinstance(message, dict) else None
            asked += said in ("user", "human", "prompter")
            if asked > number:
                notes.append(("later_turns_left_out", "turn", number))
                messages = messages[:i]
                break
        out.append(messages)
    return out[0], out[1]


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


def labels_of(b: Binding) -> Labels:
    """The schema's words over the common ones; ``exact`` schemas know only their own. The binding
    remembers them, so that a reader can ask what was not understood."""
    labels = Labels(
        b.options.get("words", {}),
        exact=bool(b.options.get("exact")),
        given=bool(b.options.get("given")),
    )
    b.labels = labels
    return labels


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
    tied = _tie_flag(b)
    remarks = _arena_remarks(b)
    label = b.get("label")
    scores = [get for role in ("left_score", "right_score") if (get := b.get(role)) is not None]
    if votes:
        return _several_votes(b, sides, read, votes)
    assert label is not None
    field = b.name("label")

    def parse(row: Row, notes: Notes) -> list[Record]:
        value = label(row)
        tie = tied is not None and tied(row)
        if value is None and not tie:
            raise BadRow("missing_label", field, value)
        p, left, right = sides(row, notes)
        share = 0.5 if tie else read(value, field, left, right, notes)
        if remarks is not None:
            remarks(row, notes)
        left_first = first(row)
        if relative and left_first is False:
            share = 1.0 - share
        who = annotator(row)
        records: list[Record] = [Judgement(p, left, right, share, who, left_first, mass(row))]
        if len(scores) == 2:
            found = [_number(get(row)) for get in scores]
            for side, score in zip((left, right), found, strict=True):
                if score is not None:
                    records.append(Rating(p, side, score, "score", who))
            if None not in found and share != 0.5 and (found[0] - found[1]) * (share - 0.5) < 0:  # type: ignore[operator]
                notes.append(("rating_contradicts", b.name("left_score"), found))
        return records

    return parse


def _arena_remarks(b: Binding) -> Callable[[Row, Notes], None] | None:
    """Roles ``anony`` and ``dedup_tag`` of arena logs: votes that saw the models' names, and votes
    that the source itself leaves out of its ranking. They are kept, and counted."""
    anony, dedup = b.get("anony"), b.get("dedup_tag")
    if anony is None and dedup is None:
        return None

    def remarks(row: Row, notes: Notes) -> None:
        seen = None if anony is None else anony(row)
        if isinstance(seen, bool | int | float | str) and word_of(seen) in _FALSE:
            notes.append(("names_shown", b.name("anony"), False))
        tag = unpacked(dedup(row)) if dedup is not None else None
        if isinstance(tag, dict) and tag.get("high_freq") and tag.get("sampled") is False:
            notes.append(("left_out_by_source", b.name("dedup_tag"), tag))

    return remarks


LabelReader = Callable[[Any, str, Response, Response, Notes], float]


def _word_reader(b: Binding) -> LabelReader:
    """A side by its field, its model, its key, its text, or a word that is known."""
    labels = labels_of(b)
    fields = (b.fields.get("left"), b.fields.get("right"))
    ends = tuple((f or "").rpartition(".")[2] for f in fields)

    def by_word(value: Any, field: str, left: Response, right: Response, notes: Notes) -> float:
        return labels.share(
            value,
            field,
            (fields[0], ends[0], left.model, left.key, left.text),
            (fields[1], ends[1], right.model, right.key, right.text),
        )

    return by_word


def _label_reader(b: Binding) -> LabelReader:
    by_word = _word_reader(b)
    threshold, sign = b.options.get("threshold"), b.options.get("sign")

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

    own = bool(b.options.get("given"))  # what the user says of the words goes before the schema
    return by_number if (threshold or sign) and not own else by_word


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


def submitted_responses(b: Binding) -> Parser:
    """Argilla: ``label`` is a list, one answer per annotator, beside lists of annotators and of
    states; only submitted answers count."""
    sides, mass = _sides(b), b.mass()
    label, users, status = b.get("label"), b.get("annotator"), b.get("status")
    assert label is not None
    field, read = b.name("label"), _word_reader(b)
    left_field = b.name("left").rpartition(".")[2]

    def parse(row: Row, notes: Notes) -> list[Record]:
        values = unpacked(label(row))
        values = values if isinstance(values, list) else [values]
        who = _beside(users, row, len(values))
        states = _beside(status, row, len(values))
        p, left, right = sides(row, notes)
        records: list[Record] = []
        for value, by, state in zip(values, who, states, strict=True):
            if state not in (None, "submitted"):
                notes.append(("missing_label", field, state))
                continue
            if isinstance(value, dict):
                state = value.get("status", state)
                by = value.get("user_id", by)
                value = value.get("value")
                if state not in (None, "submitted"):
                    notes.append(("missing_label", field, state))
                    continue
            share = _by_rank(value, left_field, field)
            if share is None:
                share = read(value, field, left, right, notes)
            by = key_of(by, b.name("annotator"))
            records.append(Judgement(p, left, right, share, by, None, mass(row)))
        if not records:
            raise BadRow("missing_label", field, values)
        return records

    return parse


def _by_rank(value: Any, left: str, field: str) -> float | None:
    """What the response ``left`` won in a ranking of two (``[{"rank": 1, "value": …}, …]``); None
    if a label is no such ranking."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    if not all(isinstance(v, dict) and "value" in v and "rank" in v for v in value):
        return None
    ranks = {str(v["value"]): number_of(v["rank"], field) for v in value}
    own = ranks.pop(left, None)
    other = next(iter(ranks.values()), None)
    if own is None or other is None:
        return None
    return 0.5 if own == other else float(own < other)


def annotated_tasks(b: Binding) -> Parser:
    """Label Studio: ``annotations``, one per annotator, each with the results of its controls; the
    first ``selected`` (Pairwise) or single choice counts. Cancelled annotations do not."""
    sides, mass = _sides(b), b.mass()
    label = b.get("label")
    assert label is not None
    field, read = b.name("label"), _word_reader(b)

    def parse(row: Row, notes: Notes) -> list[Record]:
        made = unpacked(label(row))
        if not isinstance(made, list):
            raise BadRow("not_a_list", field, made)
        p, left, right = sides(row, notes)
        records: list[Record] = []
        for one in made:
            value = None if not isinstance(one, dict) else _selected(one.get("result"))
            if value is None or one.get("was_cancelled") is True:
                notes.append(("missing_label", field, value or one))
                continue
            share = read(value, field, left, right, notes)
            who = one.get("completed_by")
            if isinstance(who, dict):
                who = who.get("email") or who.get("id")
            by = key_of(who, f"{field}.completed_by")
            records.append(Judgement(p, left, right, share, by, None, mass(row)))
        if not records:
            raise BadRow("missing_label", field, made)
        return records

    return parse


def _selected(results: Any) -> Any:
    """The side or word that an annotation chose, None where no control did."""
    for result in results if isinstance(results, list) else []:
        value = result.get("value") if isinstance(result, dict) else None
        if not isinstance(value, dict):
            continue
        if value.get("selected") is not None:
            return value["selected"]
        choices = value.get("choices")
        if isinstance(choices, list) and len(choices) == 1:
            return choices[0]
    return None


def _beside(get: Any, row: Row, n: int) -> list[Any]:
    value = None if get is None else unpacked(get(row))
    if n == 1 and not isinstance(value, list):
        return [value]
    return value if isinstance(value, list) and len(value) == n else [None] * n


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
                key_of(v.get("policy"), names[0]) if isinstance(v, dict) else None,
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
