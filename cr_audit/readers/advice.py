"""What to do next, as options that work: for skipped rows, data without pairs, unlike batches."""

from __future__ import annotations

from collections.abc import Mapping

from cr_audit.data.dataset import PreferenceDataset, ReadReport
from cr_audit.errors import InputError
from cr_audit.wording import percent

_STEPS = {
    "invalid_json": "repair the lines that are not JSON",
    "nested_too_deeply": "repair the lines that are nested too deeply",
    "not_an_object": "give one JSON object per line",
    "wrong_number_of_cells": "quote cells that hold the separator or a line break",
    "missing_text": "give both responses, or take the rows without one out",
    "not_a_text": "name the field of the text: --map chosen=FIELD.text",
    "not_a_message": "give every message a role and a content",
    "unreadable_list": "write lists of messages as JSON (json.dumps), not as Python prints them",
    "identical_pair": "take out the rows in which both responses are the same",
    "number_too_big": "write long numbers that are names as text, in quotes",
    "not_a_number": "write scores and ranks as numbers with a decimal point, or take the rows "
    "without one out",
    "missing_response": "give both responses or their names, or take the rows without one out",
    "not_a_list": "give a list in every row, or take the rows without one out",
    "empty_list": "take out the rows whose list is empty",
    "not_parallel": "make the lists of a row as long as its list of responses",
    "not_two_scores": "give two scores in every row, one for each response",
    "not_an_order": "name every response once in the order, by its place, text or model",
    "unknown_order": "write the order of presentation as AB or BA",
    "ambiguous_label": "say what the words mean: --map label=FIELD,left_label=A,right_label=B",
}


def mending_step(reason: str) -> str | None:
    """What mends rows that are unusable for a reason; None where the way they are read may be at
    fault instead."""
    return _STEPS.get(reason)


def skipped_step(reasons: Mapping[str, int], share: float, limit_name: str) -> str:
    """The next step where too many rows are unusable: what mends the commonest reason. Reading on
    without them is only offered for rows that are damaged, and then with the share it takes."""
    commonest = max(sorted(reasons), key=lambda r: reasons[r])
    step = _STEPS.get(commonest, "name another --schema or --map")
    if set(reasons) <= _DAMAGE and share < 0.5:
        allowed = min(1.0, float(f"{share + 0.005:.2f}"))
        step += f"; or read on without them: {limit_name} {allowed:g} ({percent(allowed)})"
    return step


_DAMAGE = frozenset(_STEPS) - {"ambiguous_label", "unreadable_list", "not_a_text", "not_a_message"}


def pairing_step(data: PreferenceDataset) -> str | None:
    """How data without comparisons is read as pairs; None if it has comparisons, or cannot be."""
    if data.comparisons.height:
        return None
    if data.choice_sets.height:
        return "--expand-choices reads the pairs that the lists imply (this assumes IIA)"
    if data.ratings.height:
        return (
            "--ratings-to-pairs reads pairs of ratings of one prompt, aspect and annotator;"
            " the higher wins"
        )
    return None


def reading_mismatch(baseline: ReadReport, batch: ReadReport) -> InputError | None:
    """Why a batch cannot be compared with a baseline: one has prompts and the other has none, or
    the prompts are made of different parts. None if the two were read alike.

    Two names of one part (``prompt`` and ``question``) are alike; a part more (``system``, a
    picture) is not.
    """
    old, new = _prompted(baseline), _prompted(batch)
    where = batch.files[0].path if batch.files else None
    fields = ", ".join(f for s in batch.schemas for f in s.unused) or "none"
    if old is not None and new is not None and old != new:
        return InputError(
            "prompts_differ",
            "the baseline's rows have prompts and the batch's have none"
            if old
            else "the batch's rows have prompts and the baseline's have none",
            where=where,
            found=f"unused fields {fields}",
            next_step="name the batch's prompt field: --map prompt=FIELD",
        )
    parts = _parts(baseline), _parts(batch)
    if all(parts) and not parts[0] & parts[1]:
        shown = ["; ".join(sorted(" + ".join(p) for p in side)) for side in parts]
        return InputError(
            "prompts_differ",
            f"the baseline's prompts are made of {shown[0]}, the batch's of {shown[1]}",
            where=where,
            found=f"unused fields {fields}",
            next_step="give both the same fields, or say which is the prompt: --map prompt=FIELD",
        )
    return None


def _prompted(report: ReadReport) -> bool | None:
    """Whether nearly all rows of comparisons have a prompt; None if some do and some do not."""
    without = report.noted.get("no_prompt", 0)
    used = report.rows_read - report.rows_skipped
    if without == 0:
        return True if any(s.prompt_fields for s in report.schemas) else None
    return False if without >= 0.5 * used else None


def _parts(report: ReadReport) -> set[tuple[str, ...]]:
    return {
        tuple(r for r in ("system", "context", "prompt", "input") if r in s.fields)
        for s in report.schemas
        if s.prompt_fields
    }
