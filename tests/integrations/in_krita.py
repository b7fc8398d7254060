"""Run by Krita's Python: add a picture to documents, and read them back, with the plug-in.

Prints one line of JSON: for each kind of document the name and the kind of the layer, and three
colours (red, green, blue, alpha) of what is read back from it, as a layer and as a whole.
"""

import json
from types import SimpleNamespace

from impasto_krita import extension
from krita import Krita
from PyQt5.QtCore import QBuffer, QByteArray
from PyQt5.QtGui import QColor, QImage

SIZE = 40, 30
COLORS = (200, 100, 50, 255), (10, 220, 90, 128)  # of the left half, of the right one
KINDS = {
    "sRGB, 8 bits": ("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc"),
    "linear, 16 bits": ("RGBA", "U16", "sRGB-elle-V2-g10.icc"),
    "linear, half": ("RGBA", "F16", "sRGB-elle-V2-g10.icc"),
    "gray": ("GRAYA", "U8", "Gray-D50-elle-V2-srgbtrc.icc"),
}


def picture(factor):
    image = QImage(*(side * factor for side in SIZE), QImage.Format_ARGB32)
    for x in range(image.width()):
        for y in range(image.height()):
            image.setPixelColor(x, y, QColor(*COLORS[x >= image.width() // 2]))
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QBuffer.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(content)


def colors(png):
    image = QImage.fromData(png)
    assert (image.width(), image.height()) == SIZE
    return [image.pixelColor(x, 10).getRgb() for x in (5, 35)]


def main(*_):
    app, found = Krita.instance(), {}
    for name, kind in KINDS.items():
        document = app.createDocument(*SIZE, name, *kind, 72.0)
        extension.add_layer(document, picture(2), "Impasto: one")
        document.waitForDone()
        layer = document.rootNode().childNodes()[-1]
        # without a window no layer is the current one
        shown = SimpleNamespace(width=document.width, height=document.height)
        shown.activeNode = lambda layer=layer: layer
        found[name] = {
            "layer": [layer.name(), layer.colorModel(), layer.colorDepth()],
            "layer colors": colors(extension.read_png(shown, True)),
            "colors": colors(extension.read_png(document, False)),
        }
        document.close()
    print(json.dumps(found), flush=True)
