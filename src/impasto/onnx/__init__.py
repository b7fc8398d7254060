"""Trained models for other runtimes, as ONNX."""

from impasto.onnx.exporter import Written, export
from impasto.onnx.runtime import Exported

__all__ = ["Exported", "Written", "export"]
