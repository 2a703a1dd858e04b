"""SVG as text: elements with every name and value escaped, and a figure that can be shown, saved or set into a page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from os import PathLike
from pathlib import Path

from paribus.charts.theme import STYLE
from paribus.errors import InputError

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(value: str) -> str:
    """User text made safe for SVG and HTML content and attributes; characters that XML forbids become U+FFFD."""
    return escape(_NOT_IN_XML.sub("\ufffd", value), quote=True)


def tag(name: str, *children: str, **attributes: str | float | None) -> str:
    """An element. Children are markup already; attribute values are escaped, None leaves the attribute out.

    Underscores in attribute names stand for hyphens, a trailing one is dropped (`class_`).

    >>> tag("circle", cx=1.5, class_="pb-point")
    '<circle cx="1.5" class="pb-point"/>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def label(
    words: str, x: float | str, y: float | str, *, class_: str = "", anchor: str = "start", width: float = 0
) -> str:
    """A line of text at (x, y); longer than `width` pixels (0: no limit) it is cut, with the whole in a tooltip."""
    shown = shorten(words, width)
    inside = text(shown) + (tag("title", text(words)) if shown != words else "")
    return tag("text", inside, x=x, y=y, class_=class_ or None, text_anchor=None if anchor == "start" else anchor)


def shorten(words: str, width: float) -> str:
    """Words that fit into `width` pixels at 12 px, the end replaced by an ellipsis where needed."""
    room = int(width / CHARACTER_WIDTH) if width else len(words)
    return words if len(words) <= room else words[: max(room - 1, 1)].rstrip() + "…"


EDGE = 12  # pixels of paper around a figure that stands alone
CHARACTER_WIDTH = 6.4  # mean advance of a 12 px system font; the layouts leave room for wider ones


def _value(value: str | float) -> str:
    return (
        text(value) if isinstance(value, str) else f"{round(value, 2) + 0.0:g}" if abs(value) < 1e4 else f"{value:.0f}"
    )


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawn chart: `title` names it, `description` says in words what it shows, `body` holds its elements.

    In notebooks it shows itself; `save` writes a file that stands alone; `inline` is for a page that carries `STYLE`.
    """

    title: str
    description: str
    width: float
    height: float
    body: str

    @property
    def svg(self) -> str:
        """The figure as an SVG document of its own, on paper of its own, so that it can be read on any background."""
        paper = tag(
            "rect", x=-EDGE, y=-EDGE, width=self.width + 2 * EDGE, height=self.height + 2 * EDGE, class_="pb-paper"
        )
        return self._element(
            tag("style", STYLE),
            paper,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"{-EDGE} {-EDGE} {self.width + 2 * EDGE:g} {self.height + 2 * EDGE:g}",
            width=self.width + 2 * EDGE,
            height=self.height + 2 * EDGE,
        )

    def inline(self) -> str:
        """The figure as an element for an HTML page, which brings the style."""
        return self._element(viewBox=f"0 0 {self.width:g} {self.height:g}")

    def save(self, path: str | PathLike[str]) -> Path:
        """Writes the figure to `path`, which must end in .svg, and returns it.

        Raises:
            InputError: the name asks for another format.
        """
        target = Path(path)
        if target.suffix.lower() != ".svg":
            raise InputError(
                f"cannot write {target.suffix or 'a file without an ending'}",
                where=str(target),
                rule="figures are saved as SVG",
                fix=f"save to {target.with_suffix('.svg').name!r}",
            )
        target.write_text(self.svg, encoding="utf-8")
        return target

    def _element(self, *before: str, **attributes: str | float) -> str:
        named = (tag("title", text(self.title)), tag("desc", text(self.description)))
        return tag(
            "svg", *named, *before, self.body, **attributes, role="img", class_="pb-figure", aria_label=self.title
        )

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.svg
