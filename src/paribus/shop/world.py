"""Who visits the shop when, and every random number of each visit, drawn before anybody decides what is served.

The same numbers serve both arms: what a user would do with and without the treatment differs by the treatment alone.
Days are drawn one by one from streams of their own, so that a day is the same however far the simulation goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paribus.shop.scenario import STEPS, Scenario, Who

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

DAY = 86_400_000_000  # microseconds
HOURS_BINS = 96
GAP_SECONDS = (2.0, 40.0, 45.0, 20.0, 35.0, 6.0)  # mean pause before search, view, cart, checkout, payment, order
LONGEST_GAP = 6.0  # times the mean
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(41)

# Columns of uniform numbers of a visit.
STEP = slice(0, 5)
LOGIN, SEARCH, ERROR, ABANDON, LOST, LATE, REFUND, SURVEY, TICKET, PRODUCT, METHOD, ITEMS = range(5, 17)
BROKEN = slice(17, 32)
UNIFORMS = 32
# Columns of normal numbers.
LATENCY, REVENUE, SCORE, PRICE = range(4)
NORMALS = 4


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits in the order of their last moment; times are microseconds since 1970.

    Attributes:
        user: index of the user.
        number: a number of its own for each visit.
        start: when it begins.
        moments: of each event, one column each: search, view, cart, checkout, payment, order (should it come to that).
        device, country, channel: codes, in the order of the scenario's shares.
        returning, known, bot: whether the user came before, is logged in from the start, is automatic.
        uniform, normal: the visit's random numbers.
        delay: microseconds until its events leave the device.
        refund_delay: microseconds from the order to a refund.
    """

    user: Integers
    number: Integers
    start: Integers
    moments: Integers
    device: Integers
    country: Integers
    channel: Integers
    returning: Booleans
    known: Booleans
    bot: Booleans
    uniform: Floats
    normal: Floats
    delay: Integers
    refund_delay: Integers

    def __len__(self) -> int:
        return len(self.user)

    @property
    def end(self) -> Integers:
        """The last moment of each visit."""
        last: Integers = self.moments[:, -1] + 30_000_000
        return last

    def __getitem__(self, rows: Any) -> Visits:
        return Visits(*(getattr(self, each.name)[rows] for each in fields(self)))


def joined(parts: list[Visits]) -> Visits:
    """Several in one, in order of their ends."""
    whole = Visits(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Visits)))
    return whole[np.argsort(whole.end, kind="stable")]


class World:
    """The visitors of a scenario; `day` gives the visits that begin on each day, one after the other.

    Args:
        pause: how long visitors wait between two steps, as a multiple of what customers do.
    """

    def __init__(self, scenario: Scenario, seed: int, *, pause: float = 1.0) -> None:
        self.scenario = scenario
        self.seed = seed
        self._gaps: Floats = np.array(GAP_SECONDS) * pause
        self.devices = tuple(scenario.population.device)
        self.countries = tuple(scenario.population.country)
        self.channels = tuple(scenario.population.channel)
        self._epoch = int(scenario.calendar.begin.timestamp()) * 1_000_000
        self._next_day = 0
        self._next_number = 0
        bots, known = scenario.bots.count, scenario.population.known_users
        rng = self._random(0)
        self.device = self._drawn(rng, scenario.population.device, bots + known)
        self.country = self._drawn(rng, scenario.population.country, bots + known)
        self.propensity: Floats = rng.standard_normal(bots + known)
        self.spending: Floats = rng.standard_normal(bots + known)
        self._rates: Floats = np.concatenate([np.zeros(bots), self._visit_rates(rng, known)])
        for segment in scenario.segments:
            fits = self._users_fit(segment.who, slice(None), returning=True)
            self._rates[fits] *= segment.visits_factor
        self._rates[bots:] *= scenario.population.visits_per_week / 7
        self._intercepts = {
            rate: _intercept(rate, scenario.population.propensity_sd)
            for rate in {
                *(getattr(scenario.funnel, step) for step in STEPS),
                *(rate for segment in scenario.segments for rate in segment.rates.values()),
            }
        }

    @property
    def users(self) -> int:
        """How many there are by now; their indexes are below."""
        return len(self.device)

    def midnight(self, day: int) -> int:
        """The beginning of a day, in microseconds since 1970."""
        return self._epoch + day * DAY

    def day(self) -> Visits:
        """The visits that begin on the next day."""
        day, self._next_day = self._next_day, self._next_day + 1
        scenario, rng = self.scenario, self._random(1 + day)
        calendar, population = scenario.calendar, scenario.population
        weekday = (calendar.start.weekday() + day) % 7
        level = calendar.weekday[weekday] / (sum(calendar.weekday) / 7) * (1 + calendar.growth_per_week) ** (day / 7)
        total = float(self._rates.sum())
        old = rng.poisson(total * level)
        cumulated = np.cumsum(self._rates)
        returning_users = np.searchsorted(cumulated, rng.random(old) * total, side="right").astype(np.int64)
        bots = rng.poisson(scenario.bots.count * scenario.bots.visits_per_day)
        bot_users = rng.integers(0, max(scenario.bots.count, 1), bots)
        new_users = self._arrive(rng, int(rng.poisson(population.new_users_per_day * level)))
        user = np.concatenate([returning_users, bot_users, new_users])
        n = len(user)
        returning = np.repeat([True, False, False], [old, bots, len(new_users)])
        bot = np.repeat([False, True, False], [old, bots, len(new_users)])
        start = self.midnight(day) + self._time_of_day(rng, n)
        uniform = rng.random((n, UNIFORMS))
        gaps = np.minimum(rng.exponential(1.0, (n, len(GAP_SECONDS))), LONGEST_GAP) * self._gaps + 1.0
        is_late = uniform[:, LATE] < scenario.late.share
        delay = np.where(is_late, rng.exponential(scenario.late.mean_hours, n) * 3_600_000_000, 0).astype(np.int64)
        refund_delay = (rng.exponential(scenario.orders.refund_days, n) * DAY).astype(np.int64)
        channel = self._drawn(rng, population.channel, n)
        normal = rng.standard_normal((n, NORMALS))
        visits = Visits(
            user,
            np.zeros(n, np.int64),
            start,
            start[:, None] + np.cumsum((gaps * 1_000_000).astype(np.int64), axis=1),
            self.device[user],
            self.country[user],
            channel,
            returning,
            returning & (uniform[:, LOGIN] < population.logged_in),
            bot,
            uniform,
            normal,
            delay,
            refund_delay,
        )
        visits = visits[np.argsort(visits.end, kind="stable")]
        visits.number[:] = np.arange(self._next_number, self._next_number + n)
        self._next_number += n
        return visits

    def fits(self, who: Who, visits: Visits) -> Booleans:
        """Which visits it concerns."""
        found = self._users_fit(who, visits.user, returning=visits.returning)
        if who.channel is not None:
            found &= visits.channel == _code(self.channels, who.channel)
        return found

    def chances(self, visits: Visits) -> Floats:
        """The chance of each step after the one before, visits by steps, without any treatment."""
        scenario = self.scenario
        intercepts = np.empty((len(visits), len(STEPS)))
        undecided = np.ones(len(visits), np.bool_)
        for j, step in enumerate(STEPS):
            intercepts[:, j] = self._intercepts[getattr(scenario.funnel, step)]
        for segment in scenario.segments:
            fits = undecided & self.fits(segment.who, visits)
            undecided &= ~fits
            for step, rate in segment.rates.items():
                intercepts[fits, STEPS.index(step)] = self._intercepts[rate]
        lean = scenario.population.propensity_sd * self.propensity[visits.user]
        chances: Floats = 1 / (1 + np.exp(-(intercepts + lean[:, None])))
        reach = 0 if scenario.bots.reach == "session_started" else 1 + STEPS.index(scenario.bots.reach)
        chances[visits.bot] = np.arange(len(STEPS)) < reach
        return chances

    def revenue_factor(self, visits: Visits) -> Floats:
        """What the visits' segments multiply an order's revenue by."""
        factor = np.ones(len(visits))
        undecided = np.ones(len(visits), np.bool_)
        for segment in self.scenario.segments:
            fits = undecided & self.fits(segment.who, visits)
            undecided &= ~fits
            factor[fits] = segment.revenue_factor
        return factor

    def _users_fit(self, who: Who, users: Any, *, returning: Any) -> Booleans:
        device, country = self.device[users], self.country[users]
        found = np.ones(len(device), np.bool_)
        if who.device is not None:
            found &= device == _code(self.devices, who.device)
        if who.country is not None:
            found &= country == _code(self.countries, who.country)
        if who.returning is not None:
            found &= np.asarray(returning) == who.returning
        return found

    def _arrive(self, rng: np.random.Generator, count: int) -> Integers:
        """Adds new users; their indexes."""
        population = self.scenario.population
        first = self.users
        self.device = np.concatenate([self.device, self._drawn(rng, population.device, count)])
        self.country = np.concatenate([self.country, self._drawn(rng, population.country, count)])
        self.propensity = np.concatenate([self.propensity, rng.standard_normal(count)])
        self.spending = np.concatenate([self.spending, rng.standard_normal(count)])
        stays = rng.random(count) < population.new_users_who_return
        rates = self._visit_rates(rng, count) * population.visits_per_week / 7 * stays
        self._rates = np.concatenate([self._rates, rates])
        users = np.arange(first, first + count)
        for segment in self.scenario.segments:
            fits = self._users_fit(segment.who, users, returning=True)
            self._rates[users[fits]] *= segment.visits_factor
        return users

    def _visit_rates(self, rng: np.random.Generator, count: int) -> Floats:
        """Relative rates of mean 1, gamma distributed."""
        spread = self.scenario.population.visit_spread
        if spread == 0:
            return np.ones(count)
        return rng.gamma(1 / spread**2, spread**2, count)

    def _time_of_day(self, rng: np.random.Generator, count: int) -> Integers:
        calendar = self.scenario.calendar
        hours = (np.arange(HOURS_BINS) + 0.5) * 24 / HOURS_BINS
        density = 1 + calendar.peak_strength * np.cos(2 * np.pi * (hours - calendar.peak_hour) / 24)
        edges = np.concatenate([[0.0], np.cumsum(density) / density.sum()])
        share = np.interp(rng.random(count), edges, np.linspace(0.0, 1.0, HOURS_BINS + 1))
        return (share * (DAY - 1)).astype(np.int64)

    @staticmethod
    def _drawn(rng: np.random.Generator, shares: Any, count: int) -> Integers:
        weights = np.array(list(shares.values()), np.float64)
        codes = np.searchsorted(np.cumsum(weights / weights.sum()), rng.random(count), side="right")
        return np.minimum(codes, len(weights) - 1).astype(np.int64)

    def _random(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream])


def _code(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else -1


def _intercept(rate: float, sd: float) -> float:
    """The log odds at which users that differ by `sd` have this rate on average (Gauss–Hermite, bisection)."""
    if rate in (0.0, 1.0):
        return -700.0 if rate == 0 else 700.0
    low, high = -40.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        mean = float(np.sum(WEIGHTS / (1 + np.exp(-(middle + sd * NODES)))) / np.sum(WEIGHTS))
        low, high = (middle, high) if mean < rate else (low, middle)
    return (low + high) / 2
