"""What a reader sees of an artifact, before it is Markdown or HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.charts.svg import Figure


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside one artifact."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Prose: plain text with `code` and **strong** marks, nothing else."""

    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Points, each plain text as in `Paragraph`."""

    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text, already rounded for people; columns named in `right` hold numbers and are aligned right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    right: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart; in Markdown it stands as a file beside the text."""

    figure: Figure
    caption: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Diagram:
    """A Mermaid text with its drawing: `mermaid` for tools that render it, `figure` for everyone else."""

    mermaid: str
    figure: Figure
    caption: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """Text shown as it is: SQL, Python, TypeScript, YAML."""

    text: str
    language: str = ""
    caption: str = ""


Block = Heading | Paragraph | Listing | Table | Picture | Diagram | Code
