"""Write a web page that stylizes photos in the visitor's browser, by ONNX Runtime Web."""

from impasto.web.folder import Built, build

__all__ = ["Built", "build"]
