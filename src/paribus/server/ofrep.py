"""OFREP 0.3: one flag, all flags, and the word that they changed.

Beyond the specification the genuine clients want: `variant` and `errorDetails` always, a reason that their SDK
knows, floats with a decimal point, and keys with unescaped slashes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from paribus.errors import LimitError, ParibusError
from paribus.server.answer import JSON, Answer, json_answer
from paribus.server.credentials import Door
from paribus.server.exposures import Exposures
from paribus.server.problem import MalformedRequest, problem_answer
from paribus.server.request import Request
from paribus.server.watch import Published, Watches

if TYPE_CHECKING:
    from paribus_sdk import Decision

BULK = "/ofrep/v1/evaluate/flags"
SINGLE = BULK + "/"
STREAM = "/ofrep/v1/events"
LARGEST_CONTEXT = 256 * 1024  # bytes
INACTIVITY_SECONDS = 120
MOST_ANSWERS = 50_000
"""Outcomes whose answer is kept written; each flag has a few."""

REASONS = {
    "SPLIT": "SPLIT",
    "TARGETING_MATCH": "TARGETING_MATCH",
    "OVERRIDE": "TARGETING_MATCH",
    "STICKY": "SPLIT",
    "DISABLED": "DISABLED",
    "KILLED": "DISABLED",
    "ERROR": "ERROR",
}
"""Ours to those of the OpenFeature SDKs; all others are DEFAULT. `metadata.reason` always says ours."""
_NOT_MODIFIED = 304
_encode = msgspec.json.Encoder().encode
_FACTS = ("assigned", "served", "reason", "revision", "epoch", "traffic_bp", "split_bp", "probability", "unit_type")


class Ofrep:
    """The three routes."""

    def __init__(self, door: Door, watches: Watches, exposures: Exposures) -> None:
        self._door = door
        self._watches = watches
        self._exposures = exposures

    async def single(self, request: Request) -> Answer:
        """One flag for one context; exposes, unless the header `paribus-exposure: off` stands."""
        principal = self._door.enter(request, "evaluate")
        watch = self._watches.known(principal.project, principal.environment)
        if watch is None:
            watch = await self._watches.get(principal.project, principal.environment)
        published = watch.current
        key = request.path[len(SINGLE) :]
        context = _context(await request.json_object(LARGEST_CONTEXT))
        visible = published.for_clients if principal.scope == "client" else published.snapshot["flags"]
        if key not in visible:
            return json_answer(404, _failure(key, "FLAG_NOT_FOUND", f"there is no flag {key!r} for this key"))
        decision = published.evaluator.evaluate(key, context.get("targetingKey"), context)
        if decision.variant is None:
            return json_answer(400, _failure(key, "PARSE_ERROR", decision.error_message or "the flag is broken"))
        if request.headers.get(b"paribus-exposure") != b"off":
            self._exposures.add(principal, decision)
        return Answer(200, written(published, decision))

    async def bulk(self, request: Request) -> Answer:
        """All flags for one context; never exposes."""
        principal = self._door.enter(request, "evaluate")
        watch = self._watches.known(principal.project, principal.environment)
        if watch is None:
            watch = await self._watches.get(principal.project, principal.environment)
        published = watch.current
        body = await request.body(LARGEST_CONTEXT)
        client = principal.scope == "client"
        etag = _etag(published, body, client)
        known = request.headers.get(b"if-none-match")
        if known is not None and _matches(known, etag):
            return Answer(_NOT_MODIFIED, headers=((b"etag", etag),))
        context = _context(_object(body))
        decisions = published.evaluator.evaluate_all(context.get("targetingKey"), context, client)
        answers = published.answers
        try:
            parts = [answers[id(decision.outcome)] for decision in decisions]
        except KeyError:
            parts = [written(published, decision) for decision in decisions]
        # A stream's URL carries the key. A client key is public; any other must not travel in an address.
        streams = _streams(request) if client else b""
        whole = b'{"flags":[%s],"metadata":{"environment":%s,"revision":%d}%s}' % (
            b",".join(parts),
            _encode(principal.environment),
            published.revision,
            streams,
        )
        return Answer(200, whole, JSON, ((b"etag", etag), (b"cache-control", b"no-cache, private")))


def failed(error: ParibusError, request: Request) -> Answer:
    """An error as OFREP's clients read it; access and rate as everywhere."""
    if isinstance(error, MalformedRequest):
        code = "INVALID_CONTEXT" if error.where == "context" else "PARSE_ERROR"
        return json_answer(400, _failure(request.path[len(SINGLE) :], code, error.what))
    answer = problem_answer(error)
    if isinstance(error, LimitError) or answer.status in {401, 403}:
        return answer
    return json_answer(answer.status, _failure(request.path[len(SINGLE) :], "GENERAL", error.what), *answer.headers)


def written(published: Published, decision: Decision) -> bytes:
    """The flag's answer as JSON, written once per outcome."""
    outcome = decision.outcome
    found = published.answers.get(id(outcome))
    if found is not None:
        return found
    text = _encode(_plain(published, decision))
    if len(published.answers) < MOST_ANSWERS:
        published.outcomes.append(outcome)
        published.answers[id(outcome)] = text
    return text


def refetch(published: Published) -> bytes:
    """The event that makes a client ask again."""
    data = {"type": "refetchEvaluation", "etag": published.etag.decode(), "lastModified": published.time_ms}
    return b"id: %d\nevent: message\ndata: %s\n\n" % (published.revision, _encode(data))


def _plain(published: Published, decision: Decision) -> dict[str, Any]:
    if decision.variant is None:
        return _failure(decision.flag, "PARSE_ERROR", decision.error_message or "the flag is broken")
    value = decision.value
    if decision.flag in published.floats:
        value = float(value)
    facts = {name: fact for name in _FACTS if (fact := getattr(decision, name)) is not None}
    # What a client that only reads the answer needs to report the exposure as we would.
    if attribute := published.snapshot["flags"][decision.flag].get("unit_attribute"):
        facts["unit_attribute"] = attribute
    if decision.outcome.attribute_names:
        facts["attribute_names"] = ",".join(decision.outcome.attribute_names)
    if decision.error_code:
        facts |= {"errorCode": decision.error_code, "errorDetails": decision.error_message or ""}
    return {
        "key": decision.flag,
        "value": value,
        "variant": decision.variant,
        "reason": REASONS.get(decision.reason, "DEFAULT"),
        "metadata": facts,
    }


def _failure(key: str, code: str, details: str) -> dict[str, str]:
    return {"key": key, "errorCode": code, "errorDetails": details}


def _object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedRequest(f"the body is not JSON: {error}", where="body") from error
    if not isinstance(value, dict):
        raise MalformedRequest("the body is not a JSON object", where="body")
    return value


def _context(body: dict[str, Any]) -> dict[str, Any]:
    context = body.get("context")
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise MalformedRequest("the context is not a JSON object", where="context")
    return context


def _etag(published: Published, body: bytes, client: bool) -> bytes:
    digest = hashlib.blake2b(body, digest_size=12, key=published.etag + (b"c" if client else b"s"))
    return b'"%s"' % digest.hexdigest().encode()


def _matches(known: bytes, etag: bytes) -> bool:
    return known == etag or any(each.strip().removeprefix(b"W/") in {etag, b"*"} for each in known.split(b","))


def _streams(request: Request) -> bytes:
    from urllib.parse import quote

    uri = f"{STREAM}?key={quote(request.secret() or '')}"
    stream = {"type": "sse", "endpoint": {"requestUri": uri}, "inactivityDelaySec": INACTIVITY_SECONDS}
    return b',"eventStreams":%s' % _encode([stream])
