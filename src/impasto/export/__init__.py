"""Trained models for other runtimes, as ONNX."""
