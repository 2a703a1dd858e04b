"""The operations that every door offers, wired from the rooms below: the only place that knows how they fit together.

In Python they are `pb.analyze`, `pb.design`, `pb.seal` …; the command line and the server call the same functions.
"""

from paribus.app.experiment import (
    analyze,
    as_level,
    as_time,
    certify,
    design,
    engine_at,
    engine_of,
    engine_url,
    init,
    is_document,
    load,
    names,
    seal,
    sql,
    table_engine,
    verify,
)
from paribus.app.forest import heterogeneity
from paribus.app.observational import panel
from paribus.app.other_methods import sensitivity
from paribus.app.summaries import running

__all__ = [
    "analyze",
    "as_level",
    "as_time",
    "certify",
    "design",
    "engine_at",
    "engine_of",
    "engine_url",
    "heterogeneity",
    "init",
    "is_document",
    "load",
    "names",
    "panel",
    "running",
    "seal",
    "sensitivity",
    "sql",
    "table_engine",
    "verify",
]
