"""Models at rest: the document in the store, the file beside it under its own hash."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.errors import StorageError
from paribus.models.document import KIND, FeatureDoc, ModelDoc, check_model
from paribus.models.onnx_model import OnnxModel
from paribus.store.address import DEFAULT_PROJECT, Address

if TYPE_CHECKING:
    from paribus.store import Store

FOLDER = "models"


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of a model."""

    key: str
    revision: int
    document: ModelDoc


def register(
    store: Store,
    folder: Path,
    key: str,
    content: bytes,
    *,
    inputs: Sequence[FeatureDoc],
    owner: str,
    author: str,
    reason: str,
    output: str = "",
    label: str = "",
    trained_on: str = "",
    description: str = "",
) -> Registered:
    """Writes the file and a revision of the document, after loading the model once; the same again writes nothing.

    Raises:
        DefinitionError: it is no ONNX model, or reads other inputs than were named.
        MissingExtra: onnxruntime is not installed.
        StorageError: the disk refused.
    """
    document = ModelDoc(
        sha256=check_model(content, f"model {key}"),
        size=len(content),
        inputs=tuple(inputs),
        output=output,
        owner=owner,
        label=label,
        trained_on=trained_on,
        description=description,
    )
    OnnxModel(content, document)
    _write(folder / FOLDER / f"{document.sha256}.onnx", content)
    address = Address(DEFAULT_PROJECT, KIND, key)
    body = document.model_dump(mode="json")
    current = store.find(address)
    if current is not None and current.body == body:
        return Registered(key, current.number, document)
    expected = current.number if current is not None else 0
    revision = store.put(address, body, author=author, reason=reason, expected=expected)
    return Registered(key, revision.number, document)


def load(store: Store, folder: Path, key: str, revision: int | None = None) -> OnnxModel:
    """The model that stands, or an earlier version of it.

    Raises:
        NotFound: there is no such model.
        StorageError: its file is missing.
        DefinitionError: its file is not the one that was registered.
    """
    found = store.get(Address(DEFAULT_PROJECT, KIND, key), revision)
    document = ModelDoc.model_validate(found.body)
    path = folder / FOLDER / f"{document.sha256}.onnx"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"the file of model {key} cannot be read: {error.strerror}",
            where=str(path),
            fix="restore the folder models from a backup, or register the model again",
        ) from error
    return OnnxModel(content, document)


def _write(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StorageError(f"the model cannot be written: {error.strerror}", where=str(path)) from error
