"""What events say before anything is tried: quality, trends, funnels, retention, paths, segments, baselines.

Every number is an aggregate that an engine computed from a table of events; rows never leave it.
"""

from paribus.exploration.event_log import EventLog
from paribus.exploration.roles import Columns

__all__ = ["Columns", "EventLog"]
