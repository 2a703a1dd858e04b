"""One system of the map, and the checks that say it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class System:
    """Another system, and how deep the work with it goes.

    kind         events, history, flags, warehouse, frame, lake, queue, store, pipeline, framework, client, watching,
                 governance, model, agent or report
    name         unique within its kind
    title        as its makers write it
    does         what is done with it: reads, writes, runs, serves
    depth        ran: a check runs the system's own program or library · shape: a check compares files or requests with
                 its published form · unverified: no check of ours meets it
    what         one sentence
    verified_by  the checks: FILE, FILE::TEST, FILE[PARAMETER] or neighbors/TOOL
    extra        the extra of `paribus` that it needs; empty: none
    imports      modules that must be importable here
    program      a command that must be on the PATH; empty: none
    url          a connection that can be tried without being told one
    scheme       that its connections start with; empty: it has none
    """

    kind: str
    name: str
    title: str
    does: tuple[str, ...] = ()
    depth: str = "unverified"
    what: str = ""
    verified_by: tuple[str, ...] = ()
    extra: str = ""
    imports: tuple[str, ...] = ()
    program: str = ""
    url: str = ""
    scheme: str = ""

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.name}"

    def plain(self) -> dict[str, Any]:
        """The system as JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "title": self.title,
            "does": list(self.does),
            "depth": self.depth,
            "what": self.what,
            "verified_by": list(self.verified_by),
            "extra": self.extra or None,
        }


def meets(check: str, test: str) -> bool:
    """Whether a test (pytest's node id) belongs to a check.

    >>> meets("tests/a.py::test_x", "tests/a.py::test_x[gzip]"), meets("tests/a.py[pg]", "tests/a.py::test_y[pg-1]")
    (True, True)
    >>> meets("tests/a.py[pg]", "tests/a.py::test_y[mysql]")
    False
    """
    wanted, _, parameter = check.removesuffix("]").partition("[")
    path, _, name = wanted.partition("::")
    ran, _, given = test.removesuffix("]").partition("[")
    ran_path, _, ran_name = ran.partition("::")
    return (
        path == ran_path
        and (not name or name == ran_name)
        and (not parameter or parameter in given.split("-") or parameter == given)
    )
