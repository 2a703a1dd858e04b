"""Experiments that are known by running summaries alone: read from any table, and by what holds at every look."""
