"""Models that decide: registered as documents, served within a budget, compared in the shadow, watched for drift."""

from paribus.models.chain import Answer, Chain, Link
from paribus.models.document import FeatureDoc, ModelDoc, check_model
from paribus.models.drift import DriftReport, DriftWatch, Reference
from paribus.models.drift_window import DriftWindow
from paribus.models.onnx_model import OnnxModel
from paribus.models.quality import Quality, quality
from paribus.models.registry import Registered, load, register
from paribus.models.shadow import Shadow, ShadowReport
from paribus.models.variant import VariantModels

__all__ = [
    "Answer",
    "Chain",
    "DriftReport",
    "DriftWatch",
    "DriftWindow",
    "FeatureDoc",
    "Link",
    "ModelDoc",
    "OnnxModel",
    "Quality",
    "Reference",
    "Registered",
    "Shadow",
    "ShadowReport",
    "VariantModels",
    "check_model",
    "load",
    "quality",
    "register",
]
