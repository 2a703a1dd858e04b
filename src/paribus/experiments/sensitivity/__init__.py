"""Sensitivity of a result to the method: every comparison read again by other methods, from the proof's own moments.

The sealed plan decides, and nothing here can change that. Where the plan hides effects so does this, and a plan that
is read more than once shows only what holds at any time, or what says how the next looks may end.
"""

from paribus.experiments.sensitivity.findings import OtherReading, Sensitivity
from paribus.experiments.sensitivity.of_result import sensitivity

__all__ = ["OtherReading", "Sensitivity", "sensitivity"]
