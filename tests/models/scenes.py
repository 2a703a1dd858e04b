"""ONNX files for tests, written by the onnx package itself."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def linear(weights: list[float], intercept: float = 0.0, *, columns: int = 1) -> bytes:
    """features · weights + intercept; with two `columns` the answer is [1 − it, it], as classifiers give it."""
    width = len(weights)
    table = np.zeros((width, columns), dtype=np.float32)
    table[:, -1] = weights
    bias = np.zeros(columns, dtype=np.float32)
    bias[-1] = intercept
    if columns == 2:
        table[:, 0], bias[0] = -table[:, 1], 1 - intercept
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["xw"]), helper.make_node("Add", ["xw", "b"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, columns])],
        [numpy_helper.from_array(table, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
