"""Charts: numbers in, SVG out. No dependency beyond the standard library; light, dark and paper by CSS variables.

Every chart says in its description what it shows, and never says anything by color alone.
"""

from paribus.charts.bars import Bar, bars
from paribus.charts.cumulative import Cumulative, cumulative_effect
from paribus.charts.distribution import Dots, distribution
from paribus.charts.flow import flow
from paribus.charts.funnel import FunnelBar, funnel_bars
from paribus.charts.graph import Actor, Edge, Graph, Group, Message, Node, Sequence, mermaid
from paribus.charts.heat import HeatRow, heat_map
from paribus.charts.interval import Interval, axis_of, axis_strip, interval_plot, interval_strip
from paribus.charts.journey import Stream, journey
from paribus.charts.power import Line, power_curve
from paribus.charts.sequence import sequence_diagram
from paribus.charts.series import day_series
from paribus.charts.svg import Figure
from paribus.charts.tornado import Swing, tornado

__all__ = [
    "Actor",
    "Bar",
    "Cumulative",
    "Dots",
    "Edge",
    "Figure",
    "FunnelBar",
    "Graph",
    "Group",
    "HeatRow",
    "Interval",
    "Line",
    "Message",
    "Node",
    "Sequence",
    "Stream",
    "Swing",
    "axis_of",
    "axis_strip",
    "bars",
    "cumulative_effect",
    "day_series",
    "distribution",
    "flow",
    "funnel_bars",
    "heat_map",
    "interval_plot",
    "interval_strip",
    "journey",
    "mermaid",
    "power_curve",
    "sequence_diagram",
    "tornado",
]
