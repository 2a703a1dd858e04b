"""The shop's programs: they decide through the SDK and send their events, as any customer's would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from paribus_sdk.client import Client
from paribus_sdk.decider import Decider
from paribus_sdk.decision import Decision, Reason
from paribus_sdk.event import SDK_VERSION, json_text, quoted
from paribus_sdk.request import in_request

from paribus.shop.course import Decided, Place, sent_rows
from paribus.shop.group import Contexts, Group
from paribus.shop.outcome import CHECKOUT, Outcome
from paribus.shop.world import World

SECOND = 1_000_000
SERVER_EVENTS = ("$request", "$error")


def user_id(user: int, prefix: str = "") -> str:
    """The id of a user who is logged in."""
    return f"{prefix}u{user:06d}"


def anonymous_id(user: int, prefix: str = "") -> str:
    """The id of a user's browser."""
    return f"{prefix}a{user:06d}"


class Shopkeeper:
    """Decides through a client of the SDK: every decision is exposed where it is made.

    Args:
        client: of the SDK; any `Decider`.
        world: whose visits come.
        share: (which, of how many): this process serves only those users.
        since: microseconds since 1970 from which decisions are made: before, the release was not there.
        prefix: stands before every id, so that a rehearsal's users are nobody else's.
    """

    def __init__(
        self,
        client: Decider,
        world: World,
        contexts: Contexts,
        share: tuple[int, int] = (0, 1),
        *,
        since: int = 0,
        prefix: str = "",
    ) -> None:
        self._since = since
        self._client = client
        self._scenario = world.scenario
        self._contexts = contexts
        self._share = share
        self._prefix = prefix
        self.flag = world.scenario.feature.key

    def decide(self, place: Place) -> Decided:
        """What the client says for each row; nobody is treated while there is no flag."""
        count = len(place.rows)
        treated, enrolled = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        variants: list[dict[str, str]] = [{}] * count
        evaluator = self._client.evaluator
        if evaluator is None or self.flag not in evaluator.flags:
            return Decided(treated, enrolled, variants)
        control = evaluator.evaluate(self.flag, "").variant  # whom nobody can bucket gets the default
        which, many = self._share
        loses = bool(place.lost_in_control.any() or place.lost_in_treatment.any())
        user = place.visits.user[place.rows].tolist()
        time, known, context = place.time.tolist(), place.known.tolist(), place.context.tolist()
        for i in range(count):
            if user[i] % many != which or time[i] < self._since:
                continue
            name = user_id if known[i] else anonymous_id
            unit = name(user[i], self._prefix)
            with in_request(unit, self._contexts[context[i]], time[i] / SECOND) as request:
                decision = self._decided(place, i, control) if loses else self._client.decide(self.flag)
            treated[i] = decision.served is not None and decision.served != control
            enrolled[i] = decision.reason in (Reason.SPLIT, Reason.BREAKER)
            variants[i] = request.variants
        return Decided(treated, enrolled, variants)

    def told(self, place: Place, decided: Decided, out: Outcome) -> None:
        """Reports each request to the local breaker, where the shop's services do."""
        if not self._scenario.requests.local_breaker:
            return
        asked = out.reached[place.rows, CHECKOUT]
        failed, seconds = out.failed[place.rows].tolist(), out.seconds[place.rows].tolist()
        for i in np.flatnonzero(asked & decided.enrolled).tolist():
            served = decided.variants[i].get(self.flag)
            if served is not None:
                self._client.report(self.flag, served, failed[i], seconds[i])

    def _decided(self, place: Place, i: int, control: str | None) -> Decision:
        """A decision whose exposure may be lost: the page that forgets it only peeks."""
        seen = self._client.peek(self.flag)
        lost = place.lost_in_control if seen.served in (None, control) else place.lost_in_treatment
        return seen if lost[i] else self._client.decide(self.flag)


def send(
    client: Client,
    groups: Sequence[Group],
    contexts: Contexts,
    share: tuple[int, int] = (0, 1),
    prefix: str = "",
) -> int:
    """Tracks every event with the client, in the order of leaving; how many."""
    which, many = share
    if many > 1:
        groups = [group[group.user % many == which] for group in groups]
    rows = sent_rows(groups)
    track = client.track
    for _, time, name, user, known, visit, context, _, properties in rows:
        if name in SERVER_EVENTS:
            track(name, user_id(user, prefix), time / 1000, properties=properties)
        elif known:
            unit = user_id(user, prefix)
            seen = anonymous_id(user, prefix) if name == "login_completed" else None
            track(
                name,
                unit,
                time / 1000,
                user_id=unit,
                anonymous_id=seen,
                session_id=f"{prefix}s{visit}",
                properties=properties,
                context=contexts[context],
            )
        else:
            track(
                name,
                None,
                time / 1000,
                anonymous_id=anonymous_id(user, prefix),
                session_id=f"{prefix}s{visit}",
                properties=properties,
                context=contexts[context],
            )
    return len(rows)


class Letters:
    """The same events as the texts that the SDK would send, their ids derived from the seed; for history."""

    def __init__(self, world: World, contexts: Contexts) -> None:
        self._prefix = f"{world.seed & 0xFFFFFFFF:08x}"
        end = f'"sdk":{quoted(SDK_VERSION)},"process":"history"}}}}'
        self._contexts = [json_text(contexts[code])[:-1] + "," + end for code in range(len(contexts))]
        self._server_context = "{" + end
        self._sequence = 0

    def write(self, groups: Sequence[Group]) -> list[str]:
        """The JSON text of each event, in the order of leaving."""
        groups = [group for group in groups if len(group)]
        if not groups:
            return []
        due = np.concatenate([group.due for group in groups])
        time = np.concatenate([group.time for group in groups])
        texts = [text for group in groups for text in self._texts(group)]
        order = np.lexsort((time, due)).tolist()
        first, self._sequence = self._sequence, self._sequence + len(order)
        return [f'{{"sequence":{first + place + 1},{texts[i]}' for place, i in enumerate(order)]

    def _texts(self, group: Group) -> Iterator[str]:
        times = np.datetime_as_string(group.time.astype("datetime64[us]")).tolist()
        user, visit, copy = group.user.tolist(), group.visit.tolist(), group.copy.tolist()
        said = property_texts(group)
        name, prefix, label = group.name, self._prefix, group.name.strip("$")
        if name in SERVER_EVENTS:
            for at, who, number, again, properties in zip(times, user, visit, copy, said, strict=True):
                yield (
                    f'"event_id":"{prefix}-{number}-{label}-{again}","name":"{name}","time":"{at}Z",'
                    f'"unit_type":"user","unit":"u{who:06d}","properties":{properties},"context":{self._server_context}'
                )
            return
        known, context = group.known.tolist(), map(self._contexts.__getitem__, group.context.tolist())
        for at, who, number, again, properties, is_known, around in zip(
            times, user, visit, copy, said, known, context, strict=True
        ):
            if not is_known:
                ids = f'"anonymous_id":"a{who:06d}"'
            elif name == "login_completed":
                ids = f'"unit_type":"user","unit":"u{who:06d}","user_id":"u{who:06d}","anonymous_id":"a{who:06d}"'
            else:
                ids = f'"unit_type":"user","unit":"u{who:06d}","user_id":"u{who:06d}"'
            yield (
                f'"event_id":"{prefix}-{number}-{label}-{again}","name":"{name}","time":"{at}Z",{ids},'
                f'"session_id":"s{number}","properties":{properties},"context":{around}'
            )


def property_texts(group: Group) -> list[str]:
    """The properties of each event as JSON text."""
    if not group.columns:
        return ["{}"] * len(group)
    template = "{" + ",".join(f"{json_text(name)}:%s" for name in group.columns) + "}"
    written = [_written(column) for column in group.columns.values()]
    texts = [template % values for values in zip(*written, strict=True)]
    odd = np.zeros(len(group), np.bool_)
    for rows in (*group.absent.values(), *group.mistyped.values()):
        odd |= rows
    strange = np.flatnonzero(odd)
    for i, properties in zip(strange.tolist(), group[strange].properties(), strict=True):
        texts[i] = json_text(properties)
    return texts


def _written(column: Any) -> Iterable[str]:
    """The values of a column as JSON."""
    if column.dtype.kind == "f":
        return map(repr, column.tolist())
    if column.dtype.kind == "i":
        return map(str, column.tolist())
    if column.dtype.kind == "b":
        return ("true" if each else "false" for each in column.tolist())
    values = column.tolist()
    if values and isinstance(values[0], dict):
        return map(json_text, values)
    known = {value: json_text(value) for value in set(values)}
    return map(known.__getitem__, values)
