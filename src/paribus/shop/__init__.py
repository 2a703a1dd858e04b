"""A simulated shop with known truth: scenarios, visits, potential outcomes, and its events through the SDK.

Everything it sends says that it is simulated. The truth never goes where the events go.
"""

from paribus.shop.course import Course
from paribus.shop.player import Player, Sent
from paribus.shop.reading import CASES, case, load, parse
from paribus.shop.scenario import Scenario
from paribus.shop.truth import TrueEffect, Truth, enrolled_of
from paribus.shop.world import World

__all__ = [
    "CASES",
    "Course",
    "Player",
    "Scenario",
    "Sent",
    "TrueEffect",
    "Truth",
    "World",
    "case",
    "enrolled_of",
    "load",
    "parse",
]
