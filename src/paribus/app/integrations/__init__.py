"""The map of the systems that Paribus works with: derived from the code, with each one's checks and their last word."""

from paribus.app.integrations.catalog import systems, systems_named
from paribus.app.integrations.record import Last, last_check
from paribus.app.integrations.system import System
from paribus.app.integrations.trial import Trial, try_here

__all__ = ["Last", "System", "Trial", "last_check", "systems", "systems_named", "try_here"]
