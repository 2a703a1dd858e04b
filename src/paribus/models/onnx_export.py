"""A logistic regression as ONNX: MatMul, Add, Sigmoid. The same weights give the same bytes."""

from __future__ import annotations

import numpy as np

from paribus.errors import MissingExtra
from paribus.models.logistic import Logistic

OPSET, IR_VERSION = 17, 8


def to_onnx(model: Logistic, *, name: str = "logistic") -> bytes:
    """The model's file: input `features` of shape [rows, features], output `score` of shape [rows].

    Raises:
        MissingExtra: onnx is not installed.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise MissingExtra("onnx", "ml", "writing a model as ONNX") from error
    width = len(model.weights)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "weights"], ["product"]),
            helper.make_node("Add", ["product", "intercept"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["score"]),
        ],
        name,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows"])],
        [
            numpy_helper.from_array(model.weights.astype(np.float32), "weights"),
            numpy_helper.from_array(np.array(model.intercept, dtype=np.float32), "intercept"),
        ],
    )
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="paribus"
    )
    return bytes(made.SerializeToString(deterministic=True))
