"""A result made visible: terminal, plain text, HTML page, notebooks, CSV and plot, all from the same rows and words."""

from paribus.experiments.report.csv import csv
from paribus.experiments.report.ipynb import ipynb
from paribus.experiments.report.notebook import notebook
from paribus.experiments.report.page import page
from paribus.experiments.report.plot import plot
from paribus.experiments.report.terminal import terminal
from paribus.experiments.report.text import text

__all__ = ["csv", "ipynb", "notebook", "page", "plot", "terminal", "text"]
