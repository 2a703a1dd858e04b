"""The shape of the Open Inference Protocol (v2): a request of columns in, scores out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paribus.errors import InputError
from paribus.models.chain import Chain


def infer(chain: Chain, model: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to `POST /v2/models/{model}/infer`: a tensor `score`, and who gave each score.

    A request has one FP32 tensor per feature, of shape [rows]; ids are echoed.

    Raises:
        InputError: the tensors are missing or of different lengths.
    """
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(each, Mapping) and "name" in each for each in inputs):
        raise InputError("the request has no inputs", where="infer", rule="inputs: [{name, shape, datatype, data}]")
    columns = {str(each["name"]): list(each.get("data", ())) for each in inputs}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError("the tensors are empty or of different lengths", where="infer", rule="one value for each row")
    [rows] = lengths
    answers = [chain.answer({name: values[i] for name, values in columns.items()}) for i in range(rows)]
    answered: dict[str, Any] = {
        "model_name": model,
        "outputs": [
            {"name": "score", "shape": [rows], "datatype": "FP64", "data": [answer.score for answer in answers]},
            {"name": "served_by", "shape": [rows], "datatype": "BYTES", "data": [each.served_by for each in answers]},
        ],
    }
    if "id" in request:
        answered["id"] = request["id"]
    return answered


def metadata(chain: Chain, model: str, features: tuple[str, ...]) -> dict[str, Any]:
    """The answer to `GET /v2/models/{model}`."""
    return {
        "name": model,
        "platform": "onnx",
        "versions": [link.name for link in chain.links],
        "inputs": [{"name": name, "datatype": "FP32", "shape": [-1]} for name in features],
        "outputs": [
            {"name": "score", "datatype": "FP64", "shape": [-1]},
            {"name": "served_by", "datatype": "BYTES", "shape": [-1]},
        ],
    }
