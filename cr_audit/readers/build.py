"""Records to a PreferenceDataset: content identities, provenance, and every remark counted.

Memory: texts and rows are flushed to polars in blocks; what stays in Python is one dictionary
entry per distinct prompt and alternative. Nothing here depends on the order of rows except the
positions in the frames: identifiers come from content alone.
"""

from __future__ import annotations

from array import array
from typing import Any

import polars as pl

from cr_audit.arrays import NotApplicable
from cr_audit.data.dataset import (
    ALL_ROWS,
    FileRead,
    PreferenceDataset,
    ReadReport,
    RowIssue,
    SchemaMatch,
    Selection,
)
from cr_audit.data.identity import alternative_id, canonical, prompt_id
from cr_audit.data.lookalikes import (
    differing_rows,
    has_no_visible_character,
    skeleton,
    twin_models,
    twin_prompts,
)
from cr_audit.errors import InputError
from cr_audit.readers.bounds import MAX_ROWS, MAX_UNUSABLE, Bounds
from cr_audit.readers.fields import Notes
from cr_audit.readers.implied import expand_sets, pair_ratings, row_notes
from cr_audit.readers.parsing import quote
from cr_audit.readers.records import BadRow, Judgement, Listing, Prompt, Rating, Record, Response

_FLUSH = 1 << 16
_NULLS = frozenset({"nan", "null", "none", "n/a", "<na>", "nat"})
_EXAMPLES = 5
LEGITIMATE = frozenset({"missing_label"})
"""Reasons that are data, not damage: a judgement that says itself that it was not made. Such rows
are skipped and counted, but do not count towards ``max_skipped``."""

_COMPARISONS = {
    "winner": pl.UInt32,
    "loser": pl.UInt32,
    "outcome": pl.Float64,
    "mass": pl.Float64,
    "annotator": pl.Int32,
    "prompt": pl.UInt32,
    "winner_first": pl.Int8,
    "file": pl.UInt16,
    "line": pl.Int64,
}
_SETS = {
    "prompt": pl.UInt32,
    "n_members": pl.UInt32,
    "annotator": pl.Int32,
    "mass": pl.Float64,
    "file": pl.UInt16,
    "line": pl.Int64,
}
_MEMBERS = {"set": pl.UInt32, "alternative": pl.UInt32, "rank": pl.Int32}
_RATINGS = {
    "alternative": pl.UInt32,
    "score": pl.Float64,
    "aspect": pl.String,
    "annotator": pl.Int32,
    "file": pl.UInt16,
    "line": pl.Int64,
}
_MENTIONS = {"alternative": pl.UInt32, "file": pl.UInt16, "line": pl.Int64}
_PROMPTS = {"id": pl.String, "key": pl.String, "text": pl.String}
_ALTERNATIVES = {
    "id": pl.String,
    "prompt": pl.UInt32,
    "model": pl.String,
    "key": pl.String,
    "text": pl.String,
}


class _Table:
    """Rows as tuples, turned into polars columns in blocks. ``add`` appends one; who adds asks
    ``flush_full`` now and then."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._blocks: list[pl.DataFrame] = []
        self._rows: list[tuple[Any, ...]] = []
        self._flushed = 0
        self.add = self._rows.append

    @property
    def n(self) -> int:
        return self._flushed + len(self._rows)

    def flush_full(self) -> None:
        """Turn the rows into a block where there are enough."""
        if len(self._rows) >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True) if self._rows else ((),) * len(self._schema)
        data = {
            name: pl.Series(name, column, dtype=kind)
            for (name, kind), column in zip(self._schema.items(), columns, strict=True)
        }
        self._blocks.append(pl.DataFrame(data))
        self._flushed += len(self._rows)
        self._rows.clear()

    def frame(self) -> pl.DataFrame:
        self._flush()
        return pl.concat(self._blocks, rechunk=False)


class Builder:
    """Takes records row by row; :meth:`dataset` ends it."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds, self._longest, self._line = bounds, bounds.max_text, 0
        self._prompts, self._alternatives = _Table(_PROMPTS), _Table(_ALTERNATIVES)
        self._comparisons, self._ratings = _Table(_COMPARISONS), _Table(_RATINGS)
        self._sets, self._members = _Table(_SETS), _Table(_MEMBERS)
        self._mentions = _Table(_MENTIONS)
        self._prompt_index: dict[str, int] = {}
        self._index: dict[str, int] = {}
        self._named: dict[tuple[int, str | None, str | None], int] = {}
        # A second, independent fingerprint per identifier: two contents with one id are refused.
        self._prompt_check, self._check = array("q"), array("q")
        self._last_prompt: tuple[Prompt | None, tuple[int, str]] = (None, (-1, ""))
        self._annotators: dict[str, int] = {}
        self._looks: dict[str, int] = {}  # what each name looks like
        self._alike: dict[str, int] = {}  # names that look like an earlier one
        self._seen_sets: set[int] = set()
        self._path, self._file = "", -1
        self.rows_read = 0
        self.selection: Selection | NotApplicable = ALL_ROWS
        self.skipped: dict[str, int] = {}
        self.noted: dict[str, int] = {}
        self.examples: dict[str, list[RowIssue]] = {}
        self.first_skipped: list[RowIssue] = []
        self.skipped_rows: list[tuple[str, int, int]] = []
        self._without_prompt, self.n_without_prompt = "", 0
        self._context: dict[int, int] = {}
        self._control = False
        self._pending = 0  # rows added to any table since full ones were last flushed, or more

    def begin_file(self, path: str) -> None:
        """Rows that follow come from this file, and share no context with those before."""
        self._path, self._file = path, self._file + 1
        self._context = {}

    def say_control(self, may_hold: bool) -> None:
        """Whether texts of the file may hold control characters."""
        self._control = self._control or may_hold

    def say_without_prompt(self, found: str) -> None:
        """What the remark ``no_prompt`` of the rows to come shows: the texts that were not used."""
        self._without_prompt = found

    def say_unused_weights(self, field: str, n_rows: int) -> None:
        """Remark that the rows of this file have a field of weights that nobody asked for."""
        self.noted["weights_unused"] = self.noted.get("weights_unused", 0) + n_rows
        self._issue("weights_unused", 1, field, "every row counts alike")

    # -- remarks

    def _issue(self, reason: str, line: int, field: str, found: str) -> None:
        kept = self.examples.setdefault(reason, [])
        if len(kept) < _EXAMPLES:
            kept.append(RowIssue(reason, self._path, line, field, found))

    def skip(self, line: int, reason: str, field: str, found: str) -> None:
        """Count a row without any use under its one reason. found : what stood there, quoted."""
        self.rows_read += 1
        if len(self.skipped_rows) >= MAX_UNUSABLE:
            raise self._bounds.many_rows(self._path, line, MAX_UNUSABLE, "unusable rows")
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
        self.skipped_rows.append((reason, self._file, line))
        self._issue(reason, line, field, found)
        if reason not in LEGITIMATE and len(self.first_skipped) < _EXAMPLES:
            self.first_skipped.append(RowIssue(reason, self._path, line, field, found))

    def _note(self, line: int, notes: Notes) -> None:
        for reason in dict.fromkeys(n[0] for n in notes):
            self.noted[reason] = self.noted.get(reason, 0) + 1
        for reason, field, found in notes:
            self._issue(reason, line, field, quote(found))

    def check_context(self, line: int, row: dict[str, Any], fields: tuple[str, ...]) -> None:
        """Note a row whose prompt was met before beside other texts in ``fields``, which the prompt
        leaves out: it may be a different prompt."""
        held = [row.get(f) for f in fields]
        said = hash(tuple(v if isinstance(v, str) else repr(v) for v in held))
        if self._context.setdefault(self._last_prompt[1][0], said) != said:
            self._note(line, [("unused_text", ", ".join(fields), held[0] or held[-1])])

    # -- identities

    def _prompt(self, prompt: Prompt) -> tuple[int, str]:
        """Index and identifier. Rows of one prompt often stand together: the last is remembered."""
        if prompt != self._last_prompt[0]:
            self._last_prompt = (prompt, self._find_prompt(prompt))
        return self._last_prompt[1]

    def _find_prompt(self, prompt: Prompt) -> tuple[int, str]:
        if prompt.text is not None and len(prompt.text) > self._longest:
            raise self._bounds.long_text(self._path, self._line, len(prompt.text))
        text = None if prompt.text is None else canonical(prompt.text)
        identifier = prompt_id(text, prompt.key)
        check = hash((text, prompt.key if text is None else None))
        index = self._prompt_index.get(identifier)
        if index is None:
            index = self._prompt_index[identifier] = len(self._prompt_index)
            self._prompt_check.append(check)
            self._prompts.add((identifier, prompt.key, text))
        elif self._prompt_check[index] != check:
            raise _collision(identifier)
        return index, identifier

    def _alternative(
        self, prompt: tuple[int, str], response: Response, text: str | None, notes: Notes
    ) -> int:
        """The index of a response whose canonical text is ``text``."""
        _, model, key = response
        if model is not None and len(model) > self._longest:
            raise self._bounds.long_text(self._path, self._line, len(model))
        named = None
        if text is None:
            # Named ones (candidates of ballots) come again and again: remembered, not digested.
            named = (prompt[0], model, key)
            if named in self._named:
                return self._named[named]
        elif len(text) >= 100:
            if len(text) > self._longest:
                raise self._bounds.long_text(self._path, self._line, len(text))
        else:
            self._look_at(text, response, notes)
        identifier = alternative_id(prompt[1], text, model, key)
        check = hash((prompt[0], text, model, key))
        index = self._index.get(identifier)
        if index is None:
            index = self._index[identifier] = len(self._index)
            self._check.append(check)
            self._alternatives.add((identifier, prompt[0], model, key, text))
        elif self._check[index] != check:
            raise _collision(identifier)
        if named is not None:
            self._named[named] = index
        return index

    def _look_at(self, text: str, response: Response, notes: Notes) -> None:
        """Remarks on a short text: nothing of it can be seen, or it is a word for nothing."""
        if len(text) > self._longest:
            raise self._bounds.long_text(self._path, self._line, len(text))
        if not text or (not text.isascii() and has_no_visible_character(text)):
            notes.append(("empty_answer", response.model or "response", response.text))
        elif len(text) <= 4 and text.lower() in _NULLS:
            notes.append(("null_word", response.model or "response", text))

    def _annotator(self, name: str | None) -> int:
        """The number of an annotator. Names that nobody can tell apart are one annotator's: else
        whoever writes most of a batch would be many."""
        if name is None:
            return -1
        found = self._annotators.get(name)
        if found is not None:
            return found
        if name in self._alike:
            return self._alike[name]
        look = skeleton(name).strip() or name
        known = self._looks.setdefault(look, len(self._annotators))
        if known == len(self._annotators):
            self._annotators[name] = known
        else:
            self._alike[name] = known
            self.noted["annotator_looks_alike"] = len(self._alike)
            self._issue("annotator_looks_alike", self._line, "annotator", quote(name))
        return known

    def _annotator_names(self) -> tuple[str, ...]:
        """One name each: of names that look alike the first in the order of characters, so that the
        order of rows leaves no trace."""
        names = list(self._annotators)
        for name, known in self._alike.items():
            names[known] = min(names[known], name)
        return tuple(names)

    # -- rows

    def add(self, line: int, records: list[Record], notes: Notes) -> None:
        """One row. Raises BadRow, before anything was changed, if none of its records has a use."""
        self._line = line
        useful = records
        if len(records) != 1 or type(records[0]) is not Judgement:
            useful = [r for r in records if not (isinstance(r, Judgement) and _same_sides(r))]
        if len(useful) < len(records):
            first = next(r for r in records if isinstance(r, Judgement) and _same_sides(r))
            if not any(isinstance(r, Judgement | Listing) for r in useful):
                raise BadRow("identical_pair", "both responses", first.left.text or first.left.key)
            notes.append(("identical_pair", "both responses", first.left.text))
        mentioned: list[int] = []
        for record in useful:
            if isinstance(record, Judgement):
                self._add_judgement(line, record, notes, mentioned)
            elif isinstance(record, Listing):
                self._add_listing(line, record, notes, mentioned)
            else:
                self._add_rating(line, record, notes, mentioned)
        if self._without_prompt and useful:
            prompt = useful[0].prompt
            if prompt.text is None and prompt.key is None:
                self.n_without_prompt += 1
                if self.n_without_prompt <= _EXAMPLES:
                    self._issue("no_prompt", line, "prompt", self._without_prompt)
        self._pending += len(useful) + len(mentioned)
        if self._pending >= _FLUSH:
            self._flush_full()
        if len(mentioned) > 2:
            mentioned = list(dict.fromkeys(mentioned))
        file, mention = self._file, self._mentions.add
        for index in mentioned:
            mention((index, file, line))
        self.rows_read += 1
        if self.rows_read > MAX_ROWS:
            raise self._bounds.many_rows(self._path, line, MAX_ROWS, "rows")
        if notes:
            self._note(line, notes)

    def _flush_full(self) -> None:
        self._pending = 0
        for table in (
            self._prompts,
            self._alternatives,
            self._comparisons,
            self._sets,
            self._members,
            self._ratings,
            self._mentions,
        ):
            table.flush_full()

    def _add_judgement(
        self, line: int, record: Judgement, notes: Notes, mentioned: list[int]
    ) -> None:
        asked, one, other, share, annotator, left_first, mass = record
        if mass == 0:  # it says nothing, but the two responses are there
            notes.append(("zero_weight", "weight", 0))
            for response in (one, other):
                self._add_rating(line, Rating(asked, response, None), notes, mentioned)
            return
        texts = _canonical(one), _canonical(other)
        if texts[0] == texts[1] and _same(one, other, texts):
            raise BadRow("identical_pair", "both responses", one.text or one.model or one.key)
        prompt = self._prompt(asked)
        left = self._alternative(prompt, one, texts[0], notes)
        right = self._alternative(prompt, other, texts[1], notes)
        won, outcome = share != 0.0, 1.0
        if share == 0.5:
            outcome = 0.5
            notes.append(("tie", "label", "tie"))
        first = -1 if left_first is None else int(left_first == won)
        who = -1 if annotator is None else self._annotator(annotator)
        won_by, lost_by = (left, right) if won else (right, left)
        self._comparisons.add(
            (won_by, lost_by, outcome, mass, who, prompt[0], first, self._file, line)
        )
        mentioned += (left, right)

    def _add_listing(self, line: int, record: Listing, notes: Notes, mentioned: list[int]) -> None:
        prompt = self._prompt(record.prompt)
        if record.mass == 0:
            notes.append(("zero_weight", "weight", 0))
            for response in record.members:
                self._add_rating(line, Rating(record.prompt, response, None), notes, mentioned)
            return
        ranks: dict[int, int] = {}
        doubtful: set[int] = set()
        for response, rank in zip(record.members, record.ranks, strict=True):
            index = self._alternative(prompt, response, _canonical(response), notes)
            value = -1 if rank is None else rank
            if index in ranks:
                notes.append(("duplicate_member", "list", response.text or response.model))
                if ranks[index] != value:
                    doubtful.add(index)
            ranks.setdefault(index, value)
        mentioned += ranks
        for index in doubtful:  # the same alternative at two ranks: the row does not say which
            notes.append(("contradictory_member", "list", ranks[index]))
            del ranks[index]
        if len(ranks) < 2:
            notes.append(("single_alternative", "list", f"{len(ranks)} alternative"))
            return
        who = self._annotator(record.annotator)
        again = hash((prompt[0], who, tuple(ranks.items())))
        if again in self._seen_sets:
            notes.append(("duplicate_row", "list", "the same list again"))
        self._seen_sets.add(again)
        number = self._sets.n
        self._sets.add((prompt[0], len(ranks), who, record.mass, self._file, line))
        for index, value in ranks.items():
            self._members.add((number, index, value))

    def _add_rating(self, line: int, record: Rating, notes: Notes, mentioned: list[int]) -> None:
        response = record.response
        prompt = self._prompt(record.prompt)
        index = self._alternative(prompt, response, _canonical(response), notes)
        if not mentioned or mentioned[-1] != index:
            mentioned.append(index)
        if record.score is not None:
            who = self._annotator(record.annotator)
            self._ratings.add((index, record.score, record.aspect, who, self._file, line))

    # -- the end

    def dataset(
        self,
        files: tuple[FileRead, ...],
        schemas: tuple[SchemaMatch, ...],
        *,
        expand_choices: bool,
        ratings_to_pairs: bool,
    ) -> PreferenceDataset:
        """The data set of all rows so far, with the report of how they were read."""
        comparisons, alternatives = self._comparisons.frame(), self._alternatives.frame()
        sets, members, ratings = self._sets.frame(), self._members.frame(), self._ratings.frame()
        paths = [f.path for f in files]
        for note in row_notes(comparisons, ratings, paths):
            self.noted[note.reason] = self.noted.get(note.reason, 0) + note.n_rows
            kept = self.examples.setdefault(note.reason, [])
            kept.extend(note.examples[: _EXAMPLES - len(kept)])
        prompts, mentions = self._prompts.frame(), self._mentions.frame()
        for note in (
            *differing_rows(alternatives, mentions, paths, control=self._control),
            *twin_prompts(prompts, alternatives, mentions, paths),
            *twin_models(alternatives, mentions, paths),
        ):
            self.noted[note.reason] = note.n_rows
            self.examples[note.reason] = list(note.examples)
        if self.n_without_prompt:
            self.noted["no_prompt"] = self.n_without_prompt + self.noted.get("no_prompt", 0)
        if expand_choices:
            pairs = expand_sets(sets, members)
            comparisons = pl.concat([comparisons, pairs.select(comparisons.columns)])
            self.noted["pairs_from_choice_sets"] = pairs.height
        if ratings_to_pairs:
            pairs = pair_ratings(ratings, alternatives)
            comparisons = pl.concat([comparisons, pairs.select(comparisons.columns)])
            self.noted["pairs_from_ratings"] = pairs.height
        report = ReadReport(
            files=files,
            schemas=schemas,
            rows_read=self.rows_read,
            rows_skipped=sum(self.skipped.values()),
            skipped_by_reason=dict(sorted(self.skipped.items())),
            noted=dict(sorted(self.noted.items())),
            examples=tuple(i for r in sorted(self.examples) for i in self.examples[r]),
            skipped_rows=tuple(self.skipped_rows),
            selection=self.selection,
        )
        return PreferenceDataset(
            prompts=self._prompts.frame(),
            alternatives=alternatives,
            comparisons=comparisons,
            choice_sets=sets,
            choice_members=members,
            ratings=ratings,
            annotators=self._annotator_names(),
            mentions=self._mentions.frame(),
            report=report,
        )


def _canonical(response: Response) -> str | None:
    return None if response.text is None else canonical(response.text)


def _same(left: Response, right: Response, texts: tuple[str | None, str | None]) -> bool:
    """Nothing tells the two apart: canonical text, author and key."""
    return texts[0] == texts[1] and left.model == right.model and left.key == right.key


def _same_sides(r: Judgement) -> bool:
    return _same(r.left, r.right, (_canonical(r.left), _canonical(r.right)))


def _collision(identifier: str) -> InputError:
    return InputError(
        "identifier_collision",
        "two different contents share one identifier; the data cannot be told apart",
        found=identifier,
        next_step="split the data into two runs",
    )
