"""YAML read with the place of every key and value kept, and none of its surprises.

Plain words stay words (`on`, `off`, `no`, dates and 12:30 are text; only true, false, null and numbers are more), a key
given twice is refused, tags that build objects are refused, and what aliases expand to is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from paribus.errors import DefinitionError

LARGEST_FILE = 1_000_000  # bytes; an experiment is a page or two
DEEPEST = 40
MOST_VALUES = 20_000  # after aliases are expanded

_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = {"", "~", "null", "Null", "NULL"}
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INFINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_SIMPLE_KEY = re.compile(r"[A-Za-z_][\w-]*\Z")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class WrittenInt(int):
    """An integer that remembers how it was written, so that an arm named 007 stays 007."""

    text: str


class WrittenFloat(float):
    """A number that remembers how it was written."""

    text: str


KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class MarkedTree:
    """Plain values, with the position of each value and each key by path."""

    value: Any
    values: dict[KeyPath, Position] = field(repr=False)
    keys: dict[KeyPath, Position] = field(repr=False)

    def position(self, path: KeyPath, *, key: bool = False) -> Position:
        """Where the value (or key) at `path` stands; for a path that is not there, its nearest ancestor."""
        if key and path in self.keys:
            return self.keys[path]
        while path not in self.values:
            path = path[:-1]
        return self.values[path]


def spelled(path: KeyPath) -> str:
    """The path as people write it.

    >>> spelled(("metrics", 1, "value"))
    'metrics[1].value'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _SIMPLE_KEY.match(part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def read(source: bytes | str, file: str) -> MarkedTree:
    """The document as plain values with positions.

    Raises:
        DefinitionError: it is not one YAML mapping of the kind described above; `where` is file:line:column.
    """
    text = _decoded(source, file)
    try:
        _bound_depth(text, file)
        root = yaml.compose(text, Loader=_Composer)
    except yaml.YAMLError as error:
        raise _explained(error, text, file) from error
    if root is None:
        raise DefinitionError(
            "the file holds nothing but comments" if text.strip() else "the file is empty",
            where=file,
            fix="paribus init RESULTS.csv writes an experiment.yaml to start from",
        )
    reader = _Reader(file)
    value = reader.read(root, (), ())
    return MarkedTree(value, reader.values, reader.keys)


class _Composer(yaml.SafeLoader):
    """Composes nodes; what a plain scalar means is decided in `_plain`, not by YAML 1.1."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own shape)


class _Reader:
    """Turns composed nodes into values and notes where each stands."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.values: dict[KeyPath, Position] = {}
        self.keys: dict[KeyPath, Position] = {}
        self.count = 0

    def place(self, node: yaml.Node) -> Position:
        return Position(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def fail(self, node: yaml.Node, what: str, **more: str) -> DefinitionError:
        return DefinitionError(what, where=str(self.place(node)), **more)

    def read(self, node: yaml.Node, path: KeyPath, above: tuple[int, ...]) -> Any:
        self.count += 1
        if self.count > MOST_VALUES:
            raise self.fail(node, f"the document expands to more than {MOST_VALUES:,} values", fix="use fewer aliases")
        if id(node) in above or len(above) > DEEPEST:
            raise self.fail(node, "an alias contains itself", fix="write the value out")
        above = (*above, id(node))
        self.values.setdefault(path, self.place(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, above)
        if isinstance(node, yaml.SequenceNode):
            self.check_tag(node, "tag:yaml.org,2002:seq")
            return [self.read(item, (*path, i), above) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        raise self.fail(node, "this is not a value, a list or a mapping")

    def mapping(self, node: yaml.MappingNode, path: KeyPath, above: tuple[int, ...]) -> dict[str, Any]:
        self.check_tag(node, "tag:yaml.org,2002:map")
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not _is_merge(key_node):
                continue
            for part in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                if not isinstance(part, yaml.MappingNode):
                    raise self.fail(part, "<<: takes the keys of a mapping, and this is not one")
                for name, value in self.read(part, path, above).items():
                    merged.setdefault(name, value)
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                continue
            key = self.key(key_node)
            inner = (*path, key)
            if key in own:
                raise self.fail(
                    key_node,
                    f"the key {key!r} is given twice",
                    rule=f"a key stands once; the first is on line {self.keys[inner].line}",
                    fix="remove one of the two",
                )
            if key in merged:
                self.forget(inner)
            self.keys[inner] = self.place(key_node)
            own[key] = self.read(value_node, inner, above)
        return merged | own

    def forget(self, path: KeyPath) -> None:
        """Drops the places of a merged value that the mapping's own key replaces."""
        for known in [p for p in self.values if p[: len(path)] == path]:
            del self.values[known]

    def key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.fail(
                node,
                "a key must be a plain word",
                fix="quote text that starts with { or [, for instance a template",
            )
        return str(node.value)

    def scalar(self, node: yaml.ScalarNode) -> Any:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if tag == "str":
            # Without resolvers PyYAML tags every plain scalar `str`; only style tells a quoted text.
            return _plain(str(node.value)) if node.style is None else str(node.value)
        value = _plain(str(node.value))
        kinds: dict[str, tuple[type, ...]] = {
            "int": (int,),
            "float": (int, float),
            "bool": (bool,),
            "null": (type(None),),
        }
        if tag in kinds and isinstance(value, kinds[tag]):
            return value
        raise self.fail(node, f"the tag {node.tag!r} is not allowed here", fix="remove the tag")

    def check_tag(self, node: yaml.Node, expected: str) -> None:
        if node.tag != expected:
            raise self.fail(node, f"the tag {node.tag!r} is not allowed", fix="remove the tag")


def _is_merge(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.value == "<<" and key.style is None


def _plain(text: str) -> Any:
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _NULLS:
        return None
    if _INTEGER.match(text) and len(text) < 19:
        integer = WrittenInt(text)
        integer.text = text
        return integer
    if _FLOAT.match(text) or _INFINITE.match(text):
        number = WrittenFloat(text.replace(".", "", 1) if _INFINITE.match(text) else text)
        number.text = text
        return number
    return text


def _decoded(source: bytes | str, file: str) -> str:
    if len(source) > LARGEST_FILE:
        raise DefinitionError(
            f"the file has {len(source):,} bytes",
            where=file,
            rule=f"an experiment file has at most {LARGEST_FILE:,} bytes",
            fix="give data files to paribus analyze by their own name",
        )
    if isinstance(source, str):
        return source.removeprefix("\ufeff")
    encoding = "utf-16" if source[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return source.decode(encoding)
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        raise DefinitionError(
            f"byte {source[error.start : error.start + 1].hex()} is not valid {encoding.removesuffix('-sig').upper()}",
            where=f"{file}:{line}",
            fix="save the file as UTF-8",
        ) from error


def _bound_depth(text: str, file: str) -> None:
    """Refuses deep nesting from the flat stream of events, before anything recurses."""
    depth = 0
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=_Composer)
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                mark = event.start_mark
                raise DefinitionError(
                    f"values are nested more than {DEEPEST} deep",
                    where=f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file,
                    fix="write the document flatter",
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _explained(error: yaml.YAMLError, text: str, file: str) -> DefinitionError:
    """The YAML error with its place, in words about the file instead of about the parser."""
    if isinstance(error, yaml.reader.ReaderError):
        return DefinitionError(
            f"the character {chr(int(error.character))!r} is not allowed in YAML",
            where=f"{file}:{text[: error.position].count(chr(10)) + 1}",
            fix="remove it",
        )
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or getattr(error, "context", None) or error)
    where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
    line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or "'\\t'" in problem:
        return DefinitionError(
            "the line is indented with a tab", where=where, rule="YAML indents with spaces only", fix="use two spaces"
        )
    if "mapping values are not allowed" in problem:
        return DefinitionError(
            "a second ': ' stands in this line, or the line is indented unlike its neighbors",
            where=where,
            fix='put text that holds ": " in quotes',
        )
    if "cannot start any token" in problem:
        return DefinitionError(
            f"an unquoted text cannot start with {problem.split(chr(39))[1]!r}", where=where, fix="put it in quotes"
        )
    if "alias" in problem or "expected alphabetic or numeric character" in problem:
        return DefinitionError(
            f"this text begins with * or & and has no quotes ({problem})",
            where=where,
            rule="an unquoted * begins an alias, and & an anchor",
            fix='put it in quotes when it is text, for instance "*.parquet"',
        )
    if "document" in problem and "but found another" in problem:
        return DefinitionError("the file holds a second document after ---", where=where, fix="one experiment per file")
    return DefinitionError(f"this is not YAML: {problem}", where=where, fix="check brackets, quotes and indentation")
