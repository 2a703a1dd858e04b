"""Charts: numbers in, SVG out. No dependency beyond the standard library; light, dark and paper by CSS variables.

Every chart says in its description what it shows, and never says anything by color alone.
"""

from paribus.charts.bars import Bar, bars
from paribus.charts.cumulative import Cumulative, cumulative_effect
from paribus.charts.interval import Interval, axis_of, axis_strip, interval_plot, interval_strip
from paribus.charts.power import Line, power_curve
from paribus.charts.svg import Figure

__all__ = [
    "Bar",
    "Cumulative",
    "Figure",
    "Interval",
    "Line",
    "axis_of",
    "axis_strip",
    "bars",
    "cumulative_effect",
    "interval_plot",
    "interval_strip",
    "power_curve",
]
