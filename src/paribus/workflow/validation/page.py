"""What a page offers as it is served: links, forms, buttons; nothing is asked of the plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit


@dataclass(frozen=True, slots=True)
class Interaction:
    """Something a visitor can do on a page.

    Attributes:
        page: path of the page.
        element: id or, without one, text of the link or button.
        method, path: the request that it makes; an empty path: only a script knows.
        fields: what its form sends.
    """

    page: str
    element: str
    method: str
    path: str
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """As people are shown it."""
        return f"{self.element} on {self.page}"


@dataclass(slots=True)
class _Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=list)
    id: str = ""


class _Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.found: list[Interaction] = []
        self._form: _Form | None = None
        self._open: list[tuple[str, dict[str, str], list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = _Form(given.get("action", ""), given.get("method", "get").upper(), id=given.get("id", ""))
        elif tag == "input" and given.get("type", "text").lower() in {"submit", "image", "button"}:
            self._button(given, given.get("value", ""))
        elif tag == "input" and self._form is not None and "name" in given and "disabled" not in given:
            if given.get("type", "text").lower() not in {"checkbox", "radio"} or "checked" in given:
                self._form.fields.append((given["name"], given.get("value", "")))
        elif tag in {"a", "button"}:
            self._open.append((tag, given, []))

    def handle_data(self, data: str) -> None:
        for _, _, words in self._open:
            words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form is not None:
            self._close_form(self._form)
            self._form = None
        elif self._open and self._open[-1][0] == tag:
            _, given, words = self._open.pop()
            text = " ".join("".join(words).split())
            if tag == "a":
                self._link(given, text)
            else:
                self._button(given, text)

    def _link(self, given: dict[str, str], text: str) -> None:
        address = given.get("href", "")
        target = urlsplit(urljoin(f"http://here{self.page}", address))
        if not address or address.startswith(("#", "javascript:", "mailto:")):
            if given.get("id") and not address.startswith("mailto:"):
                self.found.append(Interaction(self.page, given["id"], "GET", ""))
            return
        if target.netloc == "here":
            self.found.append(Interaction(self.page, given.get("id") or text or address, "GET", _path(target)))

    def _button(self, given: dict[str, str], text: str) -> None:
        kind = given.get("type", "submit").lower()
        name = given.get("id") or text or given.get("name", "button")
        if self._form is None or kind == "button":
            self.found.append(Interaction(self.page, name, "GET", ""))
        elif kind in {"submit", "image"}:
            own = ((given["name"], given.get("value", "")),) if given.get("name") else ()
            self._form.buttons.append((name, own))

    def _close_form(self, form: _Form) -> None:
        target = urlsplit(urljoin(f"http://here{self.page}", form.action or self.page))
        if target.netloc != "here":
            return
        for name, own in form.buttons or [(form.id or f"form {form.action}", ())]:
            fields = (*form.fields, *own)
            self.found.append(Interaction(self.page, name, form.method, _path(target), fields))


def interactions(page: str, text: str) -> list[Interaction]:
    """Everything that a page offers, in its order, each once."""
    reader = _Reader(page)
    reader.feed(text)
    reader.close()
    return list(dict.fromkeys(reader.found))


def _path(target: object) -> str:
    split = target  # a SplitResult
    query = getattr(split, "query", "")
    return (getattr(split, "path", "") or "/") + (f"?{query}" if query else "")
