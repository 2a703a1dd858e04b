"""The shop as time goes on: who was treated so far, what is decided, what happens, which events leave when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from paribus.shop.group import Contexts, Group, joined
from paribus.shop.happening import ORDER_AT, happened
from paribus.shop.instrumentation import broken, broken_uniform
from paribus.shop.outcome import CHECKOUT, Outcome, outcome, reach_decision, whole_days
from paribus.shop.scenario import InstrumentationDefect, LostExposureDefect, Who
from paribus.shop.world import DAY, LOST, Booleans, Integers, Visits, World
from paribus.shop.world import joined as joined_visits

NEVER = np.iinfo(np.int64).max
DECISION_AT = {"session_started": -1, "product_viewed": 1, "cart_item_added": 2, "checkout_started": 3}
DECISION_LAG = 50_000  # microseconds after the event


@dataclass(frozen=True, slots=True)
class Place:
    """Visits that came to the decision, by row, with its times and whether an exposure would be lost in each arm."""

    visits: Visits
    rows: Integers
    time: Integers
    known: Booleans
    context: Integers
    lost_in_control: Booleans
    lost_in_treatment: Booleans


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided for each row of a place.

    treated: something else than control was served · enrolled: by chance, as part of the experiment · variants: what is
    in force, for the request's log
    """

    treated: Booleans
    enrolled: Booleans
    variants: Sequence[dict[str, str]] = ()


class Policy(Protocol):
    """Who decides."""

    def decide(self, place: Place) -> Decided:
        """The decision for each row."""

    def told(self, place: Place, decided: Decided, out: Outcome) -> None:
        """How it went on."""


class NoFlag:
    """Before there is a flag: nobody is treated."""

    def decide(self, place: Place) -> Decided:
        """Control for everybody, without an experiment."""
        nobody = np.zeros(len(place.rows), np.bool_)
        return Decided(nobody, nobody)

    def told(self, place: Place, decided: Decided, out: Outcome) -> None:
        """Nothing is learned."""


@dataclass(slots=True)
class Users:
    """What is known of each user: microseconds of the first treatment and of enrollment (`NEVER`), the last arm."""

    first: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    enrolled: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    treated: Booleans = field(default_factory=lambda: np.zeros(0, np.bool_))

    def grow(self, count: int) -> None:
        """Makes room for new users."""
        new = count - len(self.first)
        if new > 0:
            self.first = np.concatenate([self.first, np.full(new, NEVER)])
            self.enrolled = np.concatenate([self.enrolled, np.full(new, NEVER)])
            self.treated = np.concatenate([self.treated, np.zeros(new, np.bool_)])


class Course:
    """One run of a world under a policy.

    What was decided acts on the steps before the decision from the next midnight (UTC) on, so that the result does not
    depend on the strides in which `advance` is called.

    Args:
        world: its days are used up by this course.
        policy: who decides; `NoFlag` at first.
        witness: told of all that happens, before instrumentation is broken.
    """

    def __init__(
        self, world: World, policy: Policy | None = None, witness: Callable[[list[Group]], None] | None = None
    ) -> None:
        self.world = world
        self.policy: Policy = policy or NoFlag()
        self.witness = witness
        self.time = world.midnight(0)
        self.users = Users()
        self.contexts = Contexts(world)
        self._before = Users()
        self._days = 0
        self._waiting: Visits | None = None
        self._pending: dict[str, Group] = {}
        self._sold = 0
        self._defects = [
            (i, each) for i, each in enumerate(world.scenario.defects) if isinstance(each, InstrumentationDefect)
        ]
        self._lost = [each for each in world.scenario.defects if isinstance(each, LostExposureDefect)]

    def advance(self, until: int) -> list[Group]:
        """What leaves the devices up to a time (microseconds since 1970), a group for each name of event."""
        while self.time < until:
            today = (self.time - self.world.midnight(0)) // DAY
            midnight = self.world.midnight(int(today))
            if self.time == midnight:
                self._begin_day()
            stop = min(until, midnight + DAY)
            self._live(self._visits(stop))
            self.time = stop
        return self._leaving(until)

    def leap(self, until: int) -> None:
        """Lets time pass of which nothing is wanted: visits come and go, and no event is made."""
        self._visits(until)
        self.time = until
        self._begin_day()

    def _begin_day(self) -> None:
        self.users.grow(self.world.users)
        self._before = Users(self.users.first.copy(), self.users.enrolled, self.users.treated.copy())
        self._sold = 0

    def _visits(self, stop: int) -> Visits:
        """Visits that end before a time and did not before."""
        while self.world.midnight(self._days) < stop:
            day = self.world.day()
            self._days += 1
            self._waiting = day if self._waiting is None else joined_visits([self._waiting, day])
        waiting = self._waiting
        assert waiting is not None  # noqa: S101
        split = int(np.searchsorted(waiting.end, stop))
        self._waiting = waiting[split:]
        self.users.grow(self.world.users)
        self._before.grow(self.world.users)
        return waiting[:split]

    def _live(self, visits: Visits) -> None:
        if not len(visits):
            return
        world, user = self.world, visits.user
        before = self._before.treated[user]
        days_before = whole_days(visits.end, self._before.first[user])
        place = self._place(visits, reach_decision(world, visits, before, days_before))
        decided = self.policy.decide(place)
        treated = np.zeros(len(visits), np.bool_)
        treated[place.rows] = decided.treated
        self._remember(place, decided)
        days = whole_days(visits.end, self.users.first[user])
        out = outcome(world, visits, treated, days, before, days_before)
        if world.scenario.stock_per_day is not None:
            out = self._sell(visits, out, world.scenario.stock_per_day)
        variants: list[dict[str, str]] = [{}] * len(visits)
        for row, each in zip(place.rows.tolist(), decided.variants, strict=False):
            variants[row] = each
        self.policy.told(place, decided, out)
        groups = happened(world, self.contexts, visits, out, variants)
        if self.witness is not None:
            self.witness(groups)
        arm = np.full(len(visits), -1)
        arm[place.rows] = decided.treated
        for group in groups:
            sent = self._broken(group, visits, arm) if self._defects else group
            held = self._pending.get(group.name)
            self._pending[group.name] = sent if held is None else joined([held, sent])

    def _place(self, visits: Visits, reached: Booleans) -> Place:
        rows = np.flatnonzero(reached)
        here = visits[rows]
        column = DECISION_AT[self.world.scenario.decision.after]
        time = (here.start if column < 0 else here.moments[:, column]) + DECISION_LAG
        is_logged_in = here.known | (column >= DECISION_AT["checkout_started"])
        lost = {arm: np.zeros(len(rows), np.bool_) for arm in ("control", "treatment")}
        for position, defect in enumerate(self._lost):
            drawn = (here.uniform[:, LOST] + position * 0.6180339887) % 1.0 < defect.share
            lost[defect.arm] |= drawn & self.world.fits(defect.who, here)
        context = self.contexts.code(here)
        return Place(visits, rows, time // 1000 * 1000, is_logged_in, context, lost["control"], lost["treatment"])

    def _remember(self, place: Place, decided: Decided) -> None:
        user = place.visits.user[place.rows]
        np.minimum.at(self.users.first, user[decided.treated], place.time[decided.treated])
        np.minimum.at(self.users.enrolled, user[decided.enrolled], place.time[decided.enrolled])
        self.users.treated[user] = decided.treated

    def _sell(self, visits: Visits, out: Outcome, stock: int) -> Outcome:
        """First come, first served, within each day."""
        orders = np.flatnonzero(out.reached[:, -1])
        orders = orders[np.argsort(visits.moments[orders, ORDER_AT], kind="stable")]
        left = max(stock - self._sold, 0)
        self._sold += len(orders)
        sold_out = np.zeros(len(visits), np.bool_)
        sold_out[orders[left:]] = True
        return out.without_stock(sold_out)

    def _broken(self, group: Group, visits: Visits, arm: Integers) -> Group:
        mine = [(i, each) for i, each in self._defects if each.event == group.name]
        if not mine or not len(group):
            return group
        order = np.argsort(visits.number)
        numbers = visits.number[order]

        def row_of(some: Group) -> Integers:
            found: Integers = order[np.searchsorted(numbers, some.visit)]
            return found

        def concerned(defect: InstrumentationDefect, some: Group) -> Booleans:
            rows = row_of(some)
            calendar = self.world.scenario.calendar
            begin = self.world.midnight(calendar.history_days if defect.from_day is None else defect.from_day)
            found = (some.time >= begin) & self._fits(defect.who, visits, rows)
            if defect.arm is not None:
                found &= arm[rows] == (defect.arm == "treatment")
            return found

        return broken(group, mine, concerned, broken_uniform(visits, group.name, row_of(group)))

    def _fits(self, who: Who, visits: Visits, rows: Integers) -> Booleans:
        return self.world.fits(who, visits)[rows]

    def _leaving(self, until: int) -> list[Group]:
        found = []
        for name, group in self._pending.items():
            leaves = group.due < until
            self._pending[name] = group[~leaves]
            leaving = group if leaves.all() else group[leaves]
            if len(leaving):
                found.append(leaving)
        return found


def sent_rows(groups: Sequence[Group]) -> list[tuple[Any, ...]]:
    """(due, time, name, user, known, visit, context, copy, properties) of every event, in the order of leaving."""
    rows: list[tuple[Any, ...]] = []
    for group in groups:
        columns = (group.due, group.time, group.user, group.known, group.visit, group.context, group.copy)
        lists = [column.tolist() for column in columns]
        rows += [
            (due, time, group.name, user, known, visit, context, copy, properties)
            for due, time, user, known, visit, context, copy, properties in zip(*lists, group.properties(), strict=True)
        ]
    rows.sort(key=_when)
    return rows


def _when(row: tuple[Any, ...]) -> tuple[int, int]:
    return row[0], row[1]


__all__ = ["CHECKOUT", "NEVER", "Course", "Decided", "NoFlag", "Place", "Policy", "Users", "sent_rows"]
