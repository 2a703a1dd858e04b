"""Metric definitions and their measurement: one definition compiles to SQL for any engine and comes back as cells."""
