"""The small check that can be done here and now: packages, programs, a connection."""

from __future__ import annotations

import importlib
import importlib.metadata
import shutil
from dataclasses import dataclass
from typing import Any

from paribus.app.integrations.system import System
from paribus.errors import ParibusError


@dataclass(frozen=True, slots=True)
class Trial:
    """What a check on this machine found.

    result   works · missing: something is not installed · failed: it is, and refused · needs_url: a connection must
             be given · nothing: there is nothing that could be tried here
    said     a sentence for each thing that was tried
    """

    system: System
    result: str
    said: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """The trial as JSON."""
        return {"id": self.system.id, "result": self.result, "said": list(self.said)}


def try_here(system: System, url: str | None = None) -> Trial:
    """Imports what the system needs, looks for its program, and asks its connection for one row.

    Args:
        system: of the map.
        url: the connection to try; for warehouses only. The password is never part of the answer.
    """
    said: list[str] = []
    missing = False
    for module in system.imports:
        try:
            importlib.import_module(module)
        except ImportError as error:
            missing = True
            fix = f'; pip install "paribus[{system.extra}]"' if system.extra else ""
            said.append(f"{module} cannot be imported ({error}){fix}")
        else:
            said.append(f"{module} {_version(module)} is installed")
    if system.program:
        found = shutil.which(system.program)
        missing |= found is None
        said.append(f"the program {system.program} is " + (f"at {found}" if found else "not on the PATH"))
    if missing:
        return Trial(system, "missing", tuple(said))
    if system.kind == "warehouse":
        return _connected(system, url or system.url, said)
    return Trial(system, "works" if said else "nothing", tuple(said) or ("there is nothing to try on this machine",))


def _connected(system: System, url: str, said: list[str]) -> Trial:
    from paribus.warehouse import open_engine

    if not url:
        said.append(f"say which database with --url {system.scheme or system.name}://…")
        return Trial(system, "needs_url", tuple(said))
    try:
        engine = open_engine(url)
        try:
            row = engine.query("SELECT 1 AS one").rows[0][0]
            said.append(f"a {engine.dialect} connection answered SELECT 1 with {row}")
            works = int(row) == 1 and engine.dialect == system.name
        finally:
            engine.close()
    except ParibusError as error:
        return Trial(system, "failed", (*said, str(error)))
    if not works:
        said.append(f"the connection is of {engine.dialect}, not of {system.name}")
    return Trial(system, "works" if works else "failed", tuple(said))


def _version(module: str) -> str:
    top = module.partition(".")[0]
    for package in importlib.metadata.packages_distributions().get(top, ()):
        return importlib.metadata.version(package)
    return ""
