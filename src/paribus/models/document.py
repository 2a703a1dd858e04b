"""A model as a document: what it is, what it reads, whose it is, and the hash of its file."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from paribus.errors import DefinitionError

KIND = "model"
LARGEST = 512_000_000  # bytes
PICKLES = (b"\x80", b"(", b"c", b"]", b"}", b"I", b"S", b"V", b"cos")
OTHERS = {
    b"PK\x03\x04": "a zip archive (PyTorch, Keras, NumPy)",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip file",
}
IR_VERSION = b"\x08"
"""An ONNX file begins with the tag of its field ir_version (onnx.proto: field 1, a varint)."""


class Part(BaseModel):
    """Closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class FeatureDoc(Part):
    """One input, in the order in which the model reads it."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    minimum: float | None = None
    """Least value that was trained on."""
    maximum: float | None = None


class ModelDoc(Part):
    """A model of one project, kind `model`; each revision is a version."""

    format: Literal["onnx"] = "onnx"
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the file's bytes."""
    size: Annotated[int, Field(gt=0, le=LARGEST)]
    """Bytes of the file."""
    inputs: Annotated[tuple[FeatureDoc, ...], Field(min_length=1)]
    output: str = ""
    """Name of the output that holds the score; the last one without it."""
    owner: Annotated[str, Field(min_length=1)]
    """Team or person who answers for it."""
    label: str = ""
    """What it predicts."""
    trained_on: str = ""
    """The data it was trained on: lake version, dates, rows."""
    description: str = ""


def check_model(content: bytes, where: str) -> str:
    """The SHA-256 of a file that may be an ONNX model; whether it loads is told by `OnnxModel`.

    Raises:
        DefinitionError: it is empty, too large, a pickle, or another format. A pickle runs code when it is read, so
            none is ever opened.
    """
    rule = "models are ONNX files: they hold numbers and operators, and cannot run code when they are read"
    fix = "convert it: skl2onnx, torch.onnx.export, tf2onnx, onnxmltools"
    if not content or len(content) > LARGEST:
        raise DefinitionError(f"a file of {len(content):,} bytes is no model", where=where, rule=rule, fix=fix)
    other = next((name for magic, name in OTHERS.items() if content.startswith(magic)), None)
    if other is not None:
        raise DefinitionError(f"this is {other}", where=where, rule=rule, fix=fix)
    if content.startswith(PICKLES):
        raise DefinitionError("this looks like a pickle, and was not read", where=where, rule=rule, fix=fix)
    if not content.startswith(IR_VERSION):
        raise DefinitionError("this is no ONNX file", where=where, rule=rule, fix=fix)
    return hashlib.sha256(content).hexdigest()
