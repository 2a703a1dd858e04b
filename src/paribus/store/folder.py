"""Documents as files: <kind>/<key>.yaml in a folder, and a note of what each was when folder and store last agreed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paribus.errors import DefinitionError, InputError, ParibusError, StorageError, did_you_mean
from paribus.store.address import Address
from paribus.store.canonical import body_of, canonical_text, text_hash
from paribus.store.yaml_text import yaml_text

Body = dict[str, Any]
Validator = Callable[[str, Body], Body]
"""From a document's key and body to the body that is stored; raises DefinitionError."""
Reader = Callable[[bytes, str], Any]
"""From a file's bytes and name to plain values; raises DefinitionError with file:line:column."""
NOTE = ".paribus-base.json"
_SUFFIXES = (".yaml", ".yml")
_UNSAFE = re.compile(r'[/\\:*?"<>|%\x7f]|^\.')


@dataclass(frozen=True, slots=True)
class FileDocument:
    """A document as its file says it."""

    path: Path
    body: Body
    body_hash: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of documents of some kinds."""

    path: Path
    project: str
    kinds: Mapping[str, Validator]
    read: Reader

    def documents(self) -> dict[Address, FileDocument]:
        """Every document of the folder, checked.

        Raises:
            DefinitionError: files that cannot be read or break their schema, all of them named.
            InputError: a subfolder that is no kind, or two files for one document.
        """
        found: dict[Address, FileDocument] = {}
        failures: list[ParibusError] = []
        for address, path in self._files():
            if address in found:
                raise InputError(
                    f"{path} and {found[address].path.name} are the same document", fix="remove one of them"
                )
            try:
                found[address] = self._document(address, path)
            except (InputError, StorageError) as failure:
                failures.append(failure)
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise DefinitionError(
                f"{len(failures)} files cannot be used:\n" + "\n".join(str(failure) for failure in failures),
                where=str(self.path),
                rule="a folder is taken as a whole, or not at all",
            )
        return found

    def path_of(self, address: Address) -> Path:
        """Where the document's file stands, or would; what a file name cannot hold is written as %XX."""
        name = _UNSAFE.sub(lambda letter: f"%{ord(letter[0]):02X}", address.key)
        places = [self.path / address.kind / (name + suffix) for suffix in _SUFFIXES]
        return places[1] if places[1].exists() and not places[0].exists() else places[0]

    def write(self, address: Address, body: Body) -> Path:
        """Puts the document's file in place, whole or not at all.

        Raises:
            InputError: the document is larger or stranger than the reader allows.
        """
        path = self.path_of(address)
        _replace(path, self.text_of(address, body))
        return path

    def text_of(self, address: Address, body: Body) -> str:
        """The document's file, which reads back as the same body.

        Raises:
            InputError: it does not.
        """
        text = yaml_text(body)
        if self._plain(self.read(text.encode(), str(self.path_of(address))), str(address)) != body:
            raise InputError(f"{address} cannot be written as a file that reads back as the same document")
        return text

    def remove(self, address: Address) -> Path:
        """Takes the document's file away."""
        path = self.path_of(address)
        path.unlink(missing_ok=True)
        return path

    def base(self) -> dict[Address, str]:
        """The body hash of each document when folder and store last agreed; empty for a folder never synchronized.

        Raises:
            InputError: the note is damaged, or of another project.
        """
        path = self.path / NOTE
        if not path.exists():
            return {}
        try:
            note = json.loads(path.read_bytes())
            project, written = str(note["project"]), int(note["format"])
            documents = [(name.partition("/"), str(told)) for name, told in note["documents"].items()]
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise InputError(
                "the note of the last synchronization is damaged", where=str(path), fix="remove it"
            ) from error
        if written != 1 or project != self.project:
            raise InputError(
                f"this folder belongs to the project {project!r}, in format {written}",
                where=str(path),
                fix=f"use another folder for the project {self.project!r}",
            )
        return {Address(project, kind, key): told for (kind, _, key), told in documents}

    def note(self, hashes: Mapping[Address, str]) -> None:
        """Writes down what folder and store agree on; the file belongs into git beside the documents."""
        documents = {str(address): hashes[address] for address in sorted(hashes)}
        plain = {"format": 1, "project": self.project, "documents": documents}
        _replace(self.path / NOTE, json.dumps(plain, indent=1, ensure_ascii=False) + "\n")

    def _files(self) -> Iterator[tuple[Address, Path]]:
        if not self.path.is_dir():
            return
        for place in sorted(self.path.iterdir()):
            if not place.is_dir() or place.name.startswith("."):
                continue
            paths = sorted(path for path in place.iterdir() if path.suffix in _SUFFIXES and path.is_file())
            if paths and place.name not in self.kinds:
                raise InputError(
                    f"{place.name} is no kind of document, and {len(paths)} files stand in it",
                    where=str(place),
                    rule="files stand under the name of their kind",
                    fix=did_you_mean(place.name, self.kinds),
                )
            for path in paths:
                yield self._address(place.name, path), path

    def _address(self, kind: str, path: Path) -> Address:
        key = re.sub(r"%([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), path.stem)
        address = Address(self.project, kind, key).checked()
        if self.path_of(address).stem != path.stem:
            raise InputError(
                f"{path.name!r} cannot be the file of a document",
                where=str(path.parent),
                rule="a % stands before two digits for a character that a file name cannot hold",
                fix=f"rename it to {self.path_of(address).name}",
            )
        return address

    def _document(self, address: Address, path: Path) -> FileDocument:
        try:
            source = path.read_bytes()
        except OSError as error:
            raise StorageError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
        body = self._plain(self.read(source, str(path)), str(path))
        text = canonical_text(self.kinds[address.kind](address.key, body), str(path))
        return FileDocument(path, body_of(text) or {}, text_hash(text))

    @staticmethod
    def _plain(value: Any, where: str) -> Body:
        """The values alone, without what a reader remembers about their spelling."""
        if not isinstance(value, dict):
            raise DefinitionError("the file holds no mapping", where=where, rule="a document maps names to values")
        return body_of(canonical_text(value, where)) or {}


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"the file cannot be written: {error.strerror}", where=str(path)) from error
