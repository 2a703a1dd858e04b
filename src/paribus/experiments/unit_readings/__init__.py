"""An experiment's units as rows, read by methods that moments cannot feed: regressions, quantiles, the bootstrap.

Nothing here decides. At most as many rows as asked for leave the warehouse, without the units' ids, by a statement that
stands beside what was read. What holds at any look does so for all units as they come, not for a sample that is drawn
anew at each look: it is left out where not all units were read.
"""

from paribus.experiments.unit_readings.findings import ArmQuantile, Draw, LeftOut, UnitReading, UnitReadings
from paribus.experiments.unit_readings.of_units import unit_readings

__all__ = ["ArmQuantile", "Draw", "LeftOut", "UnitReading", "UnitReadings", "unit_readings"]
