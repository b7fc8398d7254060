"""Add the menu item: ask for a style, send the image to the studio, add the result as a layer."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from krita import Extension, Krita
from PyQt5 import QtWidgets as Qt
from PyQt5.QtCore import QBuffer, QByteArray
from PyQt5.QtGui import QImage

from .client import Studio, StudioError

_TITLE = "Impasto"
_ADDRESS = "http://127.0.0.1:7860"
_IMAGE, _LAYER = "Whole image", "Current layer"
_PROFILE = "sRGB-elle-V2-srgbtrc.icc"  # Krita's own sRGB


class Impasto(Extension):
    """The plug-in."""

    def setup(self) -> None:
        """Do nothing; Krita requires this method."""

    def createActions(self, window: Any) -> None:  # noqa: N802 (Krita calls it)
        """Add the menu item Tools > Scripts > Stylize with Impasto."""
        action = window.createAction("impasto_stylize", "Stylize with Impasto...", "tools/scripts")
        action.triggered.connect(self.run)

    def run(self) -> None:
        """Stylize the image or layer; whatever fails is shown as a message."""
        document = Krita.instance().activeDocument()
        try:
            if document is None:
                raise StudioError("open an image first")
            wanted = ask(Krita.instance())
            if wanted is None:
                return
            studio, source, style, size = wanted
            png = read_png(document, source == _LAYER)
            add_layer(document, wait(studio, png, style, size), f"{_TITLE}: {style}")
        except StudioError as error:
            Qt.QMessageBox.warning(None, _TITLE, str(error))


def ask(krita: Any) -> tuple[Studio, str, str, str] | None:
    """Ask for the studio, the source, the style and the size; None if the user cancels."""
    saved = krita.readSetting(_TITLE, "address", _ADDRESS)
    address, ok = Qt.QInputDialog.getText(None, _TITLE, "Address of the studio:", text=saved)
    if not ok:
        return None
    studio, dialog = Studio(address), Qt.QDialog()
    dialog.setWindowTitle(_TITLE)
    krita.writeSetting(_TITLE, "address", address)
    source, style, size = Qt.QComboBox(), Qt.QComboBox(), Qt.QSpinBox()
    source.addItems([_IMAGE, _LAYER])
    for name, title in studio.styles().items():
        style.addItem(f"{name}: {title}", name)
    style.setCurrentIndex(max(0, style.findData(krita.readSetting(_TITLE, "style", ""))))
    size.setRange(0, 16384)
    size.setSpecialValueText("auto")  # shown for 0
    button = Qt.QPushButton("Stylize")
    button.clicked.connect(dialog.accept)
    form = Qt.QFormLayout(dialog)
    for label, field in ("Paint", source), ("Style", style), ("Long edge", size), ("", button):
        form.addRow(label, field)
    if dialog.exec_() != Qt.QDialog.Accepted:
        return None
    krita.writeSetting(_TITLE, "style", style.currentData())
    return studio, source.currentText(), style.currentData(), str(size.value() or "auto")


def wait(studio: Studio, png: bytes, style: str, size: str) -> bytes:
    """Stylize in a thread while the progress is shown, with a button that stops it."""
    shown = Qt.QProgressDialog("waiting", "Stop", 0, 0)
    shown.setWindowTitle(_TITLE)
    shown.show()
    progress = ["waiting"]

    def report(text: str) -> bool:
        progress[0] = text or progress[0]
        return not shown.wasCanceled()

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(studio.stylize, png, style, size, report)
        while not job.done():
            if not shown.wasCanceled():
                shown.setLabelText(progress[0])
            Qt.QApplication.processEvents()
            time.sleep(0.05)
    shown.close()
    return job.result()


def read_png(document: Any, layer_only: bool) -> bytes:
    """Return the visible image, or the current layer with what is transparent, as a PNG file."""
    box = 0, 0, document.width(), document.height()
    if layer_only:
        layer = document.activeNode()
        if layer is None:
            raise StudioError("choose a layer first")
        if (layer.colorModel(), layer.colorDepth()) != ("RGBA", "U8"):
            raise StudioError("the layer is not RGB with 8 bits: paint the whole image instead")
        pixels = bytes(layer.projectionPixelData(*box))  # BGRA
        image = QImage(pixels, *box[2:], QImage.Format_ARGB32)
    else:
        image = document.projection(*box)
    made = QByteArray()
    buffer = QBuffer(made)
    buffer.open(QBuffer.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(made)


def add_layer(document: Any, data: bytes, name: str) -> None:
    """Add an image file as a new layer on top, as large as the document."""
    image = QImage.fromData(data)
    width, height = document.width(), document.height()
    if image.isNull():
        raise StudioError("the studio has sent no image")
    if (image.width(), image.height()) != (width, height):
        image = image.scaled(width, height, transformMode=1)  # Qt.SmoothTransformation
    image = image.convertToFormat(QImage.Format_ARGB32)  # scaling multiplies colours by alpha
    pixels = image.constBits()
    pixels.setsize(4 * width * height)
    layer = document.createNode(name, "paintlayer")
    document.rootNode().addChildNode(layer, None)
    if (layer.colorModel(), layer.colorDepth()) != ("RGBA", "U8"):
        layer.setColorSpace("RGBA", "U8", _PROFILE)
    layer.setPixelData(QByteArray(bytes(pixels)), 0, 0, width, height)
    document.refreshProjection()
