"""Bodies that mean harm or are broken: counted, answered, never an exception, and never at the cost of their batch."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
import zlib
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.events.door import NOW, check, decode, records, request

from paribus.events.compile import compile_plan
from paribus.events.dialects import REGISTRY, match, root_routes
from paribus.events.hygiene import MAX_DEPTH
from paribus.events.request import Checked, IntakeRequest
from paribus.lake.record import Record

GOOD = b'{"name":"ok","event_id":"g","unit":"u"}'


def batch(*events: bytes) -> Checked:
    return check(request("/api/v1/events", b'{"batch":[' + b",".join(events) + b"]}"))


BROKEN_EVENTS: dict[str, tuple[bytes, str]] = {
    "duplicate key": (b'{"name":"a","name":"b"}', "a key stands twice"),
    "duplicate inner key": (b'{"name":"a","properties":{"x":1,"y":{"z":1,"z":2}}}', "a key stands twice"),
    "duplicate hidden by an escaped colon": (b'{"name":"a","properties":{"x":1,"x":"\\u003a"}}', "a key stands twice"),
    "deep": (b'{"name":"a","properties":{"x":' + b"[" * 40 + b"]" * 40 + b"}}", "nested too deep"),
    "very deep": (b'{"name":"a","properties":{"x":' + b'{"k":' * 60 + b"1" + b"}" * 60 + b"}}", "nested too deep"),
    "infinite": (b'{"name":"a","properties":{"x":1e999}}', "a number too large"),
    "huge integer": (b'{"name":"a","properties":{"x":' + b"9" * 5000 + b"}}", "a number too large"),
    "NaN": (b'{"name":"a","properties":{"x":NaN}}', "NaN or Infinity"),
    "Infinity": (b'{"name":"a","properties":{"x":-Infinity}}', "NaN or Infinity"),
    "NUL": (b'{"name":"a","properties":{"x":"\\u0000"}}', "text with a NUL character"),
    "NUL in a key": (b'{"name":"a","properties":{"x\\u0000":1}}', "text with a NUL character"),
    "lone surrogate": (b'{"name":"a","properties":{"x":"\\ud800"}}', "a lone surrogate"),
    "no UTF-8": (b'{"name":"a","properties":{"x":"\xff\xfe"}}', "bytes that are no UTF-8"),
    "encoded surrogate": (b'{"name":"a","properties":{"x":"\xed\xa0\x80"}}', "bytes that are no UTF-8"),
    "null": (b"null", "null is no event"),
    "number": (b"7", "Expected `object`, got `int`"),
    "no name": (b'{"event_id":"1"}', "Object missing required field `name`"),
    "empty name": (b'{"name":""}', "the name is empty or too long"),
    "name of a wrong type": (b'{"name":7}', "Expected `str`, got `int`"),
    "long name": (b'{"name":"' + b"n" * 201 + b'"}', "the name is empty or too long"),
    "properties no object": (b'{"name":"a","properties":[1]}', "properties and context are objects"),
    "id no id": (b'{"name":"a","user_id":{"x":1}}', "Expected `int | str | null`, got `object`"),
    "large": (b'{"name":"a","properties":{"x":"' + b"x" * 300_000 + b'"}}', "the event is too large"),
    "long id": (b'{"name":"a","event_id":"' + b"i" * 2000 + b'"}', "an id is too long"),
}


@pytest.mark.parametrize("case", BROKEN_EVENTS, ids=str)
def test_a_broken_event_is_rejected_and_its_neighbors_are_kept(case: str) -> None:
    broken, words = BROKEN_EVENTS[case]
    checked = batch(GOOD, broken, GOOD.replace(b'"g"', b'"h"'))
    assert (checked.received, checked.accepted, checked.quarantined) == (3, 2, 0)
    (rejection,) = checked.rejected
    assert rejection.index == 1
    assert rejection.what.startswith(words)
    assert checked.answer.status == 200
    assert json.loads(checked.answer.body)["rejected"] == [rejection.to_dict()]
    assert [record.event_id for record in decode(checked)] == ["g", "h"]


BROKEN_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"hello",
    "cut off": b'{"batch":[{"name":"a"}',
    "two documents": b'{"batch":[]}{"batch":[]}',
    "no batch": b"{}",
    "batch no list": b'{"batch":{"a":1}}',
    "list": b"[1,2]",
    "duplicate batch": b'{"batch":[{"name":"a"}],"batch":[]}',
    "flaw beside the events": b'{"batch":[{"name":"a"}],"sent_at":"\\u0000"}',
    "100,000 open brackets": b"[" * 100_000,
    "100,000 open objects": b'{"a":' * 100_000,
    "invalid UTF-8": b'{"batch":"\xff"}',
    "damaged gzip": b"\x1f\x8b\x08\x00garbage",
    "cut gzip": gzip.compress(b'{"batch":[]}' * 100, mtime=0)[:-12],
    "two gzip members": gzip.compress(b'{"batch":[]}', mtime=0) + gzip.compress(b"{}", mtime=0),
}


@pytest.mark.parametrize("case", BROKEN_BODIES, ids=str)
def test_a_broken_body_is_refused_as_one(case: str) -> None:
    checked = check(request("/api/v1/events", BROKEN_BODIES[case]))
    assert (checked.received, checked.accepted, len(checked.rejected)) == (1, 0, 1)
    assert checked.answer.status == 400
    assert not checked.is_landing
    assert checked.rejected[0].index is None


def test_a_bomb_is_refused_before_it_unfolds() -> None:
    bomb = gzip.compress(b'{"batch":[' + b" " * 30_000_000 + b"]}", 1, mtime=0)
    started = time.process_time()
    checked = check(request("/api/v1/events", bomb))
    assert time.process_time() - started < 0.2
    assert checked.answer.status == 413


def test_too_many_events_are_refused() -> None:
    checked = check(request("/api/v1/events", {"batch": [{"name": "a"}] * 10_001}))
    assert checked.answer.status == 413
    assert checked.rejected[0].rule == "at most 10000 events per request"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_unknown_encodings_are_refused(encoding: str) -> None:
    incoming = request("/api/v1/events", b"{}", headers={"content-encoding": encoding})
    assert check(incoming).answer.status == 400


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (zlib.compress(b'{"batch":[%s]}' % GOOD), "deflate"),
        (zlib.compress(b'{"batch":[%s]}' % GOOD)[2:-4], "deflate"),
        (gzip.compress(b'{"batch":[%s]}' % GOOD, mtime=0), "gzip"),
        (gzip.compress(b'{"batch":[%s]}' % GOOD, mtime=0), ""),
        (b'\xef\xbb\xbf{"batch":[%s]}' % GOOD, "identity"),
        (b' \n{"batch":\t[ %s ] }\n' % GOOD, "identity"),
    ],
    ids=["zlib", "deflate", "gzip", "gzip unsaid", "byte order mark", "spaces"],
)
def test_every_honest_spelling_of_a_body_is_read(body: bytes, encoding: str) -> None:
    (record,) = records(request("/api/v1/events", body, headers={"content-encoding": encoding}))
    assert (record.event_id, record.unit) == ("g", "u")


def test_escapes_that_only_look_like_trouble_are_kept() -> None:
    text = {"a": "\\u0000 and \\ud800 as words", "b": "x:y", "c": "<>:", "d": "é\U0001f600"}
    for ascii_only in (True, False):
        body = json.dumps({"batch": [{"name": "n", "properties": text}]}, ensure_ascii=ascii_only).encode()
        (record,) = records(request("/api/v1/events", body))
        assert json.loads(record.properties) == text
    (record,) = records(request("/api/v1/events", b'{"batch":[{"name":"n","properties":{"a":"\\u003a","b":1}}]}'))
    assert json.loads(record.properties) == {"a": ":", "b": 1}


def test_depth_is_counted_alike_by_both_readers() -> None:
    def nested(levels: int, extra: bytes = b"") -> int:
        value = b"[" * levels + b"]" * levels
        return batch(b'{"name":"a","properties":{"x":' + value + extra + b"}}").accepted

    assert nested(MAX_DEPTH - 4) == 1
    assert nested(MAX_DEPTH - 4, b',"y":"\\u003c"') == 1
    assert nested(MAX_DEPTH - 3) == 0


def test_whole_numbers_beyond_64_bits_stay_text() -> None:
    (record,) = records(request("/api/v1/events", b'{"batch":[{"name":"n","properties":{"x":%s}}]}' % (b"9" * 30)))
    assert record.properties == '{"x":%s}' % ("9" * 30)


WORDS = re.findall(
    r"\S+",
    "batch events data name event type userId properties timestamp time e ue_px eid resourceLogs key value attributes "
    "insert_id $distinct_id distinct_id api_key token event_type id source specversion sent_at scopeLogs logRecords",
)
PLAN: dict[str, Any] = {"events": {"track": {"properties": {"x": {"type": "integer", "required": True}}}}}

json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["$exposure", "track"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(WORDS) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)

ROUTES = [(method, path) for _, method, path in root_routes() if not path.startswith("/intake/")]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    route=st.sampled_from(ROUTES),
    value=json_values,
    wrap=st.sampled_from(["", "batch", "events", "data"]),
    spelling=st.sampled_from([b"%s", b" \n%s\t", b"\xef\xbb\xbf%s", b"data=%s"]),
    is_gzip=st.booleans(),
)
def test_no_json_raises_in_any_dialect(
    route: tuple[str, str], value: Any, wrap: str, spelling: bytes, is_gzip: bool
) -> None:
    method, path = route
    document = {wrap: value if isinstance(value, list) else [value]} if wrap else value
    body = json.dumps(document).encode()
    body = spelling % (quote_plus(body).encode() if spelling.startswith(b"data") else body)
    body = gzip.compress(body, 1, mtime=0) if is_gzip else body
    query = {"data": base64.b64encode(body).decode(), "e": "se", "se_ac": "x"}
    run(IntakeRequest(method, path, query, {"content-type": "application/json"}, body, NOW))


@settings(max_examples=150, deadline=None)
@given(
    route=st.sampled_from(ROUTES),
    body=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"data={text}".encode("utf-8", "replace")),
    kind=st.sampled_from(["application/x-protobuf", "text/plain", "application/x-www-form-urlencoded", ""]),
)
def test_no_bytes_raise_in_any_dialect(route: tuple[str, str], body: bytes, kind: str) -> None:
    method, path = route
    run(IntakeRequest(method, path, {"data": body.decode("latin-1")}, {"content-type": kind}, body, NOW))


def run(incoming: IntakeRequest) -> None:
    dialect = match(incoming)
    for candidate in [dialect] if dialect is not None else REGISTRY.values():
        candidate.key(incoming)
        checked = candidate.check(incoming, compile_plan(PLAN, revision=1))
        assert checked.received == checked.accepted + checked.quarantined + len(checked.rejected)
        for record in decode(checked, PLAN):
            if isinstance(record, Record):
                assert isinstance(json.loads(record.properties), dict)
                assert isinstance(json.loads(record.context), dict)
                record.properties.encode()
                assert "\x00" not in record.name + record.event_id
