"""Control and treatment as two functions with one decision, and the deletion of the loser as one diff."""

from __future__ import annotations

import difflib
import re

from paribus.workflow.artifact import File


def separation(flag: str, module: str, control: str, treatment: str, arms: tuple[str, str]) -> tuple[File, ...]:
    """The module with both functions, and for each outcome the diff that ends the experiment.

    Args:
        flag: its key.
        module: name of the module.
        control, treatment: names of the two functions.
        arms: names of the control's and the treatment's variant.
    """
    path = f"{module}.py"
    both = _module(flag, module, control, treatment, arms)
    return (
        File(path=f"separation/{path}", text=both),
        File(path="separation/keep-treatment.diff", text=_diff(path, both, _single(module, treatment, is_new=True))),
        File(path="separation/keep-control.diff", text=_diff(path, both, _single(module, control, is_new=False))),
    )


def identifier(text: str) -> str:
    """A Python name of a key.

    >>> identifier("one-click-checkout")
    'one_click_checkout'
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "feature"
    return name if name[0].isalpha() else f"f_{name}"


def _head(module: str) -> str:
    return (
        f'"""The two ways of {module.replace("_", " ")}, and the one place that decides between them."""\n\n'
        "from __future__ import annotations\n\nfrom typing import Any\n"
    )


def _function(name: str, said: str) -> str:
    return f'\n\ndef {name}(request: Any) -> Any:\n    """{said}"""\n    raise NotImplementedError("{name}")\n'


def _module(flag: str, module: str, control: str, treatment: str, arms: tuple[str, str]) -> str:
    return (
        _head(module)
        + _function(control, "As it was: the control.")
        + _function(treatment, "What is new: the treatment.")
        + "\n\ndef serve(request: Any, client: Any, unit: str) -> Any:\n"
        + '    """The only decision; it exposes in every arm."""\n'
        + f'    chosen = {treatment} if client.variant("{flag}", unit) == "{arms[1]}" else {control}\n'
        "    return chosen(request)\n"
    )


def _single(module: str, kept: str, *, is_new: bool) -> str:
    said = "What is new: the treatment." if is_new else "As it was: the control."
    return (
        _head(module)
        + _function(kept, said)
        + '\n\ndef serve(request: Any, client: Any, unit: str) -> Any:\n    """Decided: one way is left."""\n'
        f"    return {kept}(request)\n"
    )


def _diff(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(lines)
