"""A small part of PyQt5 and of Krita's module, as their documentation describes them.

The plug-in's own Qt is used where it is installed: ``pip install PyQt5``.
"""

import io
import types
from unittest import mock

from PIL import Image


class QByteArray(bytearray):
    """Bytes."""


class QBuffer:
    """A file in a byte array."""

    WriteOnly = 2

    def __init__(self, data):
        self.data = data

    def open(self, mode):
        assert mode == self.WriteOnly


class QImage:
    """An image of 32 bits a pixel; little-endian ARGB is BGRA in memory."""

    Format_ARGB32 = 5

    def __init__(self, pixels, width, height, kind):
        assert kind == self.Format_ARGB32
        self.pil = Image.frombytes("RGBA", (width, height), bytes(pixels), "raw", "BGRA")

    @classmethod
    def fromData(cls, data):  # noqa: N802
        made = cls(b"", 0, 0, 5) if not data else cls.__new__(cls)
        if data:
            made.pil = Image.open(io.BytesIO(data)).convert("RGBA")
        return made

    def isNull(self):  # noqa: N802
        return 0 in self.pil.size

    def width(self):
        return self.pil.width

    def height(self):
        return self.pil.height

    def convertToFormat(self, kind):  # noqa: N802
        assert kind == self.Format_ARGB32
        self.pil = self.pil.convert("RGBA")
        return self

    def scaled(self, width, height, transformMode):
        assert transformMode == 1
        made = QImage.__new__(QImage)
        made.pil = self.pil.convert("RGBa").resize((width, height))  # colours times alpha, as in Qt
        return made

    def constBits(self):  # noqa: N802
        assert self.pil.mode == "RGBA"
        return Bits(self.pil.tobytes("raw", "BGRA"))

    def save(self, buffer, kind):
        file = io.BytesIO()
        self.pil.save(file, kind)
        buffer.data += file.getvalue()
        return True


class Bits(bytes):
    """A pointer to pixels, whose size must be set."""

    def setsize(self, size):
        assert size == len(self)


class Node:
    """A layer."""

    def __init__(self, name, kind, model="RGBA", depth="U8"):
        self.name, self.kind, self.space, self.pixels = name, kind, (model, depth), b""
        self.children = []

    def colorModel(self):  # noqa: N802
        return self.space[0]

    def colorDepth(self):  # noqa: N802
        return self.space[1]

    def setColorSpace(self, model, depth, profile):  # noqa: N802
        self.space = model, depth
        return profile.endswith(".icc")

    def addChildNode(self, child, above):  # noqa: N802
        assert above is None
        self.children.append(child)
        return True

    def projectionPixelData(self, x, y, width, height):  # noqa: N802
        assert (x, y) == (0, 0)
        return QByteArray(self.pixels)

    def setPixelData(self, data, x, y, width, height):  # noqa: N802
        assert (x, y, len(data)) == (0, 0, 4 * width * height)
        self.pixels = bytes(data)
        return True


class Document:
    """An image with one layer, which new layers have the colour space of."""

    def __init__(self, image, picture, model="RGBA", depth="U8"):
        self.image, self.size, self.space = image, picture.size, (model, depth)
        self.root = Node("root", "grouplayer", model, depth)
        self.layer = Node("photo", "paintlayer", model, depth)
        self.layer.pixels = picture.convert("RGBA").tobytes("raw", "BGRA")
        self.refreshed = 0

    def width(self):
        return self.size[0]

    def height(self):
        return self.size[1]

    def projection(self, x, y, width, height):
        return self.image(self.layer.pixels, width, height, self.image.Format_ARGB32)

    def activeNode(self):  # noqa: N802
        return self.layer

    def rootNode(self):  # noqa: N802
        return self.root

    def createNode(self, name, kind):  # noqa: N802
        return Node(name, kind, *self.space)

    def refreshProjection(self):  # noqa: N802
        self.refreshed += 1


class Krita:
    """The application."""

    def __init__(self):
        self.document, self.settings, self.extensions = None, {}, []

    def activeDocument(self):  # noqa: N802
        return self.document

    def addExtension(self, extension):  # noqa: N802
        self.extensions.append(extension)

    def readSetting(self, group, name, default):  # noqa: N802
        return self.settings.get((group, name), default)

    def writeSetting(self, group, name, value):  # noqa: N802
        self.settings[group, name] = value


def modules():
    """The modules ``krita`` and, unless it is installed, PyQt5; and the application."""
    app = Krita()
    krita = types.ModuleType("krita")
    krita.Krita = mock.Mock(instance=lambda: app)
    krita.Extension = type("Extension", (), {"__init__": lambda self, parent: None})
    found = {"krita": krita}
    try:
        import PyQt5.QtWidgets  # noqa: F401
    except ImportError:
        package, core, gui = map(types.ModuleType, ("PyQt5", "PyQt5.QtCore", "PyQt5.QtGui"))
        core.QBuffer, core.QByteArray, gui.QImage = QBuffer, QByteArray, QImage
        package.QtWidgets = mock.MagicMock(QMessageBox=types.SimpleNamespace(warning=print))
        package.QtWidgets.QProgressDialog.return_value.wasCanceled.return_value = False
        found |= {"PyQt5": package, "PyQt5.QtCore": core, "PyQt5.QtGui": gui}
    return found, app
