"""The shop's traffic through the SDK, one stretch of simulated time after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from paribus_sdk.client import Client

from paribus.shop.course import Course, Users
from paribus.shop.scenario import Scenario
from paribus.shop.sending import Shopkeeper, send
from paribus.shop.world import World

FLUSH_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What one stretch sent: events tracked and exposures recorded; `delivered` when the server has them all."""

    events: int
    exposures: int
    delivered: bool


class Player:
    """Plays a scenario through a client, to the end of the history silently and from there on aloud.

    The client's clock is the demo's: it stands still while a stretch is sent, at the stretch's end, so that sent and
    received times agree and every event has happened when it leaves.

    Args:
        share: (which, of how many): the users that this process serves.
    """

    def __init__(self, scenario: Scenario, seed: int, client: Client, share: tuple[int, int] = (0, 1)) -> None:
        self.world = World(scenario, seed)
        self.course = Course(self.world)
        self._client = client
        self._share = share

    def skip(self, until: int) -> None:
        """Lets the time before there was a feature pass; its events are written by somebody else."""
        self.course.advance(until)

    def play(self, until: int) -> Sent:
        """Decides, tracks and delivers everything up to a time in microseconds since 1970; the clock stands there."""
        course, client = self.course, self._client
        if not isinstance(course.policy, Shopkeeper):
            course.policy = Shopkeeper(client, self.world, course.contexts, self._share, since=course.time)
        before = client.stats.exposures
        groups = course.advance(until)
        events = send(client, groups, course.contexts, self._share)
        delivered = client.flush(FLUSH_SECONDS)
        return Sent(events, client.stats.exposures - before, delivered)

    def users(self) -> Users:
        """Who was enrolled and treated when, of the users that this process serves."""
        which, many = self._share
        users = self.course.users
        mine = np.arange(len(users.first)) % many == which
        never = np.iinfo(np.int64).max
        return Users(np.where(mine, users.first, never), np.where(mine, users.enrolled, never), users.treated & mine)
