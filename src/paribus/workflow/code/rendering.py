"""Templates of code, and the filters that make every inserted value safe where it stands."""

from __future__ import annotations

import json
import pprint
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

    from paribus.workflow.code.journey import Field, Sending

WIDTH = 100


@lru_cache(1)
def templates() -> Environment:
    """The templates; a name that is not given is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("paribus.workflow.code"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - code, not HTML: `literal`, `inline` and `docstring` make values safe
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "literal": literal,
        "json": as_json,
        "inline": inline,
        "docstring": docstring,
        "sends": sends,
    }
    return environment


def render(template: str, values: dict[str, Any]) -> str:
    """The text of a template."""
    return templates().get_template(template).render(values)


def literal(value: Any) -> str:
    """The value as a Python expression; texts in double quotes.

    >>> literal("cart")
    '"cart"'
    """
    if isinstance(value, str):
        return _double(value)
    text = repr(_given(value))
    return text if len(text) < WIDTH else pprint.pformat(value, width=WIDTH, sort_dicts=False)


def as_json(value: Any) -> str:
    """The value as an expression of JavaScript, TypeScript and JSON, safe inside a script element too."""
    return json.dumps(_given(value)).replace("<", "\\u003c")


def inline(text: str) -> str:
    """Words that may stand inside a comment, a docstring or a line of YAML: one line, no quotes and no escapes."""
    words = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return words.replace("\\", "/").replace('"', "'").replace("{", "(").replace("}", ")").replace("*/", "* /")


def docstring(text: str) -> str:
    """A docstring of one line."""
    return f'"""{inline(text)}"""'


def sends(sending: Sending, form: str) -> str:
    """The statement that sends a planned event with the values of a form."""
    required = [f"{field.argument}={reading(field, form)}" for field in sending.fields if field.is_required]
    optional = [
        f"{field.argument}={reading(field, form)} if {_double(field.name)} in {form} else None"
        for field in sending.fields
        if not field.is_required
    ]
    lines = "".join(f"    {argument},\n" for argument in [*required, *optional])
    if not lines:
        return f"events.{sending.function}(self._client, visit.unit)"
    return f"events.{sending.function}(\n    self._client,\n    visit.unit,\n{lines})"


def reading(field: Field, form: str) -> str:
    """The expression that reads a field of a form."""
    name = _double(field.name)
    if field.reader == "choice":
        return f"forms.choice({form}, {name}, {field.choices!r})"
    return f"forms.{field.reader}({form}, {name})"


def _given(value: Any) -> Any:
    """The value; `str` of one that was not given raises, where `repr` would not."""
    str(value)
    return value


def _double(text: str) -> str:
    """A string in double quotes, as formatters write it."""
    single = repr(text)
    if single[0] == '"' or '"' in text:
        return single
    return f'"{single[1:-1]}"'
