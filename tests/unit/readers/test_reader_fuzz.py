"""Whatever the bytes are: a data set or a CrAuditError, never another exception."""

from __future__ import annotations

import gzip
import io
from typing import Any

import orjson
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from reader_cases import FIELDS, ROWS

from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import CrAuditError
from cr_audit.readers import SCHEMAS, read
from cr_audit.readers.parsing import parse_json, parse_slowly, quote

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["tie", "A", "1", "model_a", "", "\ud800", "\x1b[31m", "[1]", "{", "-1"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["role", "content", "text", "rank", "from", "value", "alt", "x"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


def dumps(value: Any) -> bytes:
    import json

    return json.dumps(value).encode("utf-8", "surrogatepass")


def attempt(data: bytes, **options: Any) -> PreferenceDataset | None:
    refused: CrAuditError | None = None
    try:
        result = read(["-"], stdin=io.BytesIO(data), **options)
    except CrAuditError as error:
        refused = error
    if refused is not None:
        assert refused.lines()
        assert refused.exit_code in (2, 3)
        return None
    r = result.report
    assert r.rows_read > r.rows_skipped == sum(r.skipped_by_reason.values())
    result.comparison_arrays()
    result.choice_set_arrays()
    assert result.alternatives["id"].n_unique() == result.n_alternatives
    assert set(result.mentions["alternative"].to_list()) == set(range(result.n_alternatives))
    for issue in r.examples:
        assert len(issue.found) <= 80
    return result


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    attempt(data)


@given(
    st.sampled_from(
        [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"\xef\xbb\xbf", b"\xff\xfe", b"["]
    ),
    st.binary(max_size=60),
    st.sampled_from([b"", b"PAR1"]),
)
def test_bytes_with_a_known_beginning(magic: bytes, data: bytes, end: bytes) -> None:
    attempt(magic + data + end)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    attempt(text.encode("utf-8", "surrogatepass"))


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), values, max_size=7), max_size=4))
def test_rows_of_known_fields_with_any_values(rows: list[dict[str, Any]]) -> None:
    attempt(b"\n".join(map(dumps, rows)), max_skipped=1.0)


@given(st.sampled_from(sorted(ROWS)), st.data())
def test_a_good_row_with_broken_values(name: str, data: st.DataObject) -> None:
    row = orjson.loads(ROWS[name])
    field = data.draw(st.sampled_from(sorted(row)))
    broken = {**row, field: data.draw(values)}
    nested = row[field]
    if (
        isinstance(nested, list)
        and nested
        and isinstance(nested[0], dict)
        and data.draw(st.booleans())
    ):
        inner = data.draw(st.sampled_from(sorted(nested[0])))
        broken[field] = [{**nested[0], inner: data.draw(values)}, *nested[1:]]
    lines = b"\n".join([dumps(row), dumps(broken), dumps(row)])
    options: dict[str, Any] = {"expand_choices": True, "ratings_to_pairs": True}
    result = attempt(lines, max_skipped=1.0, schema=name, **options)
    assert result is not None
    assert result.report.rows_read == 3
    attempt(lines, max_skipped=1.0)


@given(st.sampled_from(sorted(ROWS)), st.integers(0, 400), st.booleans())
def test_a_compressed_file_cut_short_is_told(name: str, at: int, gz: bool) -> None:
    raw = b"\n".join([ROWS[name]] * 3)
    packed = gzip.compress(raw) if gz else zstandard.ZstdCompressor().compress(raw)
    if at < len(packed):
        assert attempt(packed[:at]) is None
    else:
        assert attempt(packed) is not None


@given(st.sampled_from(sorted(ROWS)), st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
def test_any_mapping(name: str, mapping: dict[str, str]) -> None:
    attempt(ROWS[name], mapping=mapping)
    attempt(ROWS[name], mapping=mapping, schema=name)


@given(
    st.sampled_from(sorted(ROWS)),
    st.dictionaries(
        st.sampled_from(sorted({r for s in SCHEMAS.values() for r in s.roles})),
        st.sampled_from(FIELDS),
        max_size=3,
    ),
)
def test_mappings_of_real_roles(name: str, mapping: dict[str, str]) -> None:
    attempt(ROWS[name], mapping=mapping, max_skipped=1.0)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=6)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(plain)
def test_both_parsers_agree(value: Any) -> None:
    raw = orjson.dumps(value) if _sound(value) else dumps(value)
    assert parse_json(raw)[0] == parse_slowly(raw)[0]


def _sound(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


@given(st.permutations(range(len(ROWS))), st.sampled_from(sorted(ROWS)))
def test_identifiers_do_not_depend_on_the_order_of_rows(order: list[int], name: str) -> None:
    rows = [ROWS[name].replace(b"good", b"good %d" % i) for i in range(len(order))]
    first = attempt(b"\n".join(rows))
    second = attempt(b"\n".join(rows[i] for i in order))
    assert first is not None
    assert second is not None
    assert set(first.alternatives["id"]) == set(second.alternatives["id"])
    assert set(first.prompts["id"]) == set(second.prompts["id"])


@given(values)
def test_a_quote_is_short(value: Any) -> None:
    assert len(quote(value)) <= 80
