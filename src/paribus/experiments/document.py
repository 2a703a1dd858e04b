"""The experiment file, read: its design, where its data are, and the place of every key for messages."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paribus.errors import DefinitionError, InputError
from paribus.experiments.plan import Design
from paribus.metrics.definition import DataModel


@dataclass(frozen=True, slots=True)
class Document:
    """An experiment as its file (or the command line) states it.

    source_url   the engine's URL as written, None for files; `engine_url` fills in the environment
    folder       relative file names are relative to it
    file         the experiment file, None when built from columns
    places       "file:line:column" by key path, for instance "metrics[1].value"
    """

    design: Design
    data: DataModel
    source_url: str | None = None
    folder: Path = field(default_factory=Path)
    file: Path | None = None
    places: Mapping[str, str] = field(default_factory=dict, repr=False)

    def position(self, path: str) -> str:
        """Where the key at `path` stands, as file:line:column and path; the nearest key above when it has no own.

        A metric is found by number or by name: "metrics[1].value" and "metrics.revenue.value" are the same place. A
        document without a file answers with the path alone.
        """
        above = path
        for i, metric in enumerate(self.design.metrics):
            if path == f"metrics.{metric.name}" or path.startswith(f"metrics.{metric.name}."):
                above = path = f"metrics[{i}]{path.removeprefix(f'metrics.{metric.name}')}"
                break
        while above and above not in self.places:
            above = above[: max(above.rfind("."), above.rfind("["), 0)]
        place = self.places.get(above)
        return f"{place} ({path})" if place else path

    def engine_url(self, environ: Mapping[str, str] | None = None) -> str | None:
        """The engine's URL with every ${NAME} replaced from the environment.

        Raises:
            InputError: a name is not set.
        """
        if self.source_url is None:
            return None
        return filled(self.source_url, environ, where=self.position("source.url"))


def filled(url: str, environ: Mapping[str, str] | None = None, *, where: str = "source.url") -> str:
    """A URL with every ${NAME} replaced from the environment.

    Raises:
        InputError: a name is not set.
    """
    known = os.environ if environ is None else environ

    def value(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise InputError(f"the environment variable {match[1]} is not set", where=where, fix=f"export {match[1]}=…")
        return known[match[1]]

    return re.sub(r"\$\{(\w+)\}", value, url)


class DocumentError(DefinitionError):
    """Several errors of one document, found together; `errors` are the single ones in the order of the file."""

    def __init__(self, errors: tuple[DefinitionError, ...], file: str) -> None:
        listed = "\n".join(str(error) for error in errors)
        super().__init__(f"{len(errors)} errors\n{listed}", where=file)
        self.errors = errors


def load(source: str | Path, *, name: str | None = None) -> Document:
    """The experiment of a YAML file, or of YAML text (a `str` with a line break).

    Args:
        source: the file's path, or the text itself.
        name: how messages name a text; the file's path when there is one.

    Raises:
        DefinitionError: one error, or `DocumentError` with all of them; each has its place, rule and fix.
        InputError: the file cannot be read.
    """
    from paribus.experiments import marked_yaml
    from paribus.experiments.meaning import document_of

    if isinstance(source, str) and "\n" in source:
        return document_of(marked_yaml.read(source, name or "experiment.yaml"), file=None)
    path = Path(source)
    return document_of(marked_yaml.read(_bytes_of(path), name or str(path)), file=path)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        near = sorted(p.name for p in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        raise InputError(
            "there is no such file",
            where=str(path),
            fix=f"files here: {', '.join(near[:6])}" if near else "paribus init RESULTS.csv writes one",
        ) from error
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror or error}", where=str(path)) from error
