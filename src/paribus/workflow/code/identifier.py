"""Names that enter generated code: each is checked, none is pasted as it comes."""

from __future__ import annotations

import ast
import hashlib
import keyword
import re

from paribus.errors import DefinitionError
from paribus.events.codegen import python_client, typescript_client
from paribus.events.plan import PlanDoc

ELEMENT = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,99}")


def python_name(text: str) -> str:
    """An identifier of Python for a name: its ASCII words in lower case, joined by `_`; else a digest of it.

    >>> python_name("one-click checkout")
    'one_click_checkout'
    """
    words = re.findall(r"[A-Za-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text))
    name = "_".join(words).lower()
    if not name:
        return f"n_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    if not name[0].isalpha():
        name = f"n_{name}"
    return f"{name}_" if keyword.iskeyword(name) or keyword.issoftkeyword(name) else name


def exact_name(text: str, where: str) -> str:
    """A function's name as it was planned, without the module before it.

    Raises:
        DefinitionError: it is no identifier.
    """
    name = re.split(r"[.:/]", text.removesuffix("()"))[-1]
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name):
        raise DefinitionError(
            f"{text!r} is no name of a function", where=where, rule="an ASCII identifier, optionally module.function"
        )
    return name


def element_id(text: str) -> str:
    """The id of a page's element: the name itself where it can stand in HTML, an address and code alike.

    >>> element_id("start-checkout"), element_id("Checkout begun!")
    ('start-checkout', 'Checkout-begun')
    """
    if ELEMENT.fullmatch(text):
        return text
    name = re.sub(r"[^A-Za-z0-9_.:-]+", "-", text).strip("-.:")[:80]
    if not name:
        return f"element-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return name if name[0].isalpha() else f"element-{name}"


def title(text: str) -> str:
    """Words for people of a name.

    >>> title("cart_item_added")
    'Cart item added'
    """
    words = " ".join(re.findall(r"[^\W_]+", text)) or text
    return words[:1].upper() + words[1:]


def event_functions(plan: PlanDoc) -> dict[str, tuple[str, dict[str, str]]]:
    """For each event the function of the typed Python client, and its argument by property."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    names = list(plan.events)
    module = ast.parse(python_client(plan))
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    for name, function in zip(names, functions, strict=True):
        event = plan.events[name]
        required = [key for key, part in event.properties.items() if part.required]
        optional = [key for key, part in event.properties.items() if not part.required]
        arguments = [argument.arg for argument in function.args.kwonlyargs if argument.arg != "time"]
        found[name] = (function.name, dict(zip([*required, *optional], arguments, strict=True)))
    return found


def typescript_functions(plan: PlanDoc) -> dict[str, str]:
    """For each event the function of the typed TypeScript client."""
    functions = re.findall(r"^export function (\w+)\(", typescript_client(plan), flags=re.MULTILINE)
    return dict(zip(plan.events, functions, strict=True))
