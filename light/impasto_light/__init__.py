"""The learned styles of Impasto, in ONNX Runtime or OpenVINO, without PyTorch."""
