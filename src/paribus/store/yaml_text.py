"""A document's body as YAML that people read in a diff: one spelling for equal bodies, and no text read as a number."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")

_BREAKS = re.compile("[\r\x85\u2028\u2029]")  # PyYAML writes these as they are and reads them as ends of lines


def yaml_text(body: dict[str, Any]) -> str:
    """The body as YAML: names sorted, lists in their order, quotes around text that YAML 1.1 or 1.2 would misread.

    >>> print(yaml_text({"on": "off", "at": "2026-01-02", "share": 1e3}), end="")
    at: '2026-01-02'
    'on': 'off'
    share: 1000.0
    """
    import yaml

    text: str = yaml.dump(body, Dumper=_dumper(), sort_keys=True, allow_unicode=True, width=10_000)
    return text


@cache
def _dumper() -> type[yaml.SafeDumper]:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    def text(dumper: Dumper, value: str) -> yaml.ScalarNode:
        style = '"' if _BREAKS.search(value) else "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    # PyYAML follows YAML 1.1 and would write the text 1e3 without quotes; YAML 1.2 reads that as a number.
    Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))
    return Dumper
