"""An ONNX model in this process: rows of named numbers in, one score per row out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paribus.errors import DefinitionError, InputError, MissingExtra
from paribus.models.document import check_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from paribus.models.document import ModelDoc

Row = Mapping[str, float]


class OnnxModel:
    """A model that is loaded and checked against its document.

    Args:
        content: the file's bytes.
        document: what it was registered as.
        threads: threads of one scoring; one is the fastest for single rows.

    Raises:
        MissingExtra: onnxruntime is not installed.
        DefinitionError: the bytes are no model, or its inputs are not those of the document.
    """

    def __init__(self, content: bytes, document: ModelDoc, *, threads: int = 1) -> None:
        where = f"model {document.sha256[:12]}"
        if check_model(content, where) != document.sha256:
            raise DefinitionError("the file is not the one that was registered", where=where, rule="SHA-256 must agree")
        self.document = document
        self.names = tuple(feature.name for feature in document.inputs)
        self._session = _session(content, threads, where)
        [self._input, *more] = self._session.get_inputs()
        outputs = [each.name for each in self._session.get_outputs()]
        self._output = document.output or outputs[-1]
        width = self._input.shape[-1]
        if more or self._output not in outputs or (isinstance(width, int) and width != len(self.names)):
            raise DefinitionError(
                f"the model reads {[each.name for each in (self._input, *more)]}, shape {self._input.shape}, and gives "
                f"{outputs}; its document says {len(self.names)} features and the output {self._output!r}",
                where=where,
                rule="one input of shape [rows, features], in the order of the document",
            )

    def matrix(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """The rows as the model reads them.

        Raises:
            InputError: a feature is missing or no number.
        """
        try:
            return np.array([[row[name] for name in self.names] for row in rows], dtype=np.float32)
        except KeyError as error:
            raise InputError(
                f"the feature {error.args[0]!r} is missing", where="model", rule=f"features: {', '.join(self.names)}"
            ) from error
        except (TypeError, ValueError) as error:
            raise InputError(
                "a feature is no number", where="model", rule="every feature is a finite number"
            ) from error

    def score(self, row: Row) -> float:
        """The score of one row."""
        return float(self.scores(self.matrix([row]))[0])

    def scores(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The scores of all rows; of an output with several columns the last (the positive class)."""
        [found] = self._session.run([self._output], {self._input.name: matrix})
        array = np.asarray(found, dtype=np.float64)
        return array.reshape(len(matrix), -1)[:, -1]


def _session(content: bytes, threads: int, where: str) -> Any:
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtra("onnxruntime", "ml", "serving a model") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own errors share no root
        raise DefinitionError(f"the model cannot be loaded: {error}", where=where, rule="an ONNX file") from error
