"""Export of trained models to ONNX, and a method that runs the exported models."""

from impasto.onnx.exporter import Written, export
from impasto.onnx.runtime import Exported

__all__ = ["Exported", "Written", "export"]
