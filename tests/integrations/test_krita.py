"""The plug-in for Krita: its requests to a studio, and its part in Krita against a small fake."""

import configparser
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from skimage import data

from . import qt

FOLDER = Path(__file__).parents[2] / "integrations" / "krita"


@pytest.fixture(scope="module")
def krita(plug_in):
    """The plug-in as Krita loads it: its modules and the application."""
    fakes, app = qt.modules()
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for name, module in fakes.items():
            patch.setitem(sys.modules, name, module)
        patch.setenv("QT_QPA_PLATFORM", "offscreen")
        plug_in("krita", "impasto_krita")
        yield sys.modules["impasto_krita.extension"], sys.modules["impasto_krita.client"], app
    for name in {name for name in set(sys.modules) - before if name.startswith("impasto_krita")}:
        del sys.modules[name]


@pytest.fixture(scope="module")
def picture():
    return Image.fromarray(data.chelsea()).resize((96, 64))


@pytest.fixture(scope="module")
def png(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_krita_finds_the_plug_in_by_its_desktop_file(krita):
    _, _, app = krita
    read = configparser.ConfigParser()
    read.read(FOLDER / "impasto_krita.desktop")
    entry = read["Desktop Entry"]
    assert entry["ServiceTypes"] == "Krita/PythonPlugin"
    assert (FOLDER / entry["X-KDE-Library"] / "__init__.py").is_file()
    assert [type(one).__name__ for one in app.extensions] == ["Impasto"]


def test_the_client_stylizes_through_a_studio(krita, studio, png):
    _, client, _ = krita
    server, reports = client.Studio(studio), []
    assert "starry-night" in server.styles()
    made = server.stylize(png, "starry-night", "72", lambda text: reports.append(text) or True)
    assert Image.open(io.BytesIO(made)).size == (72, 48)
    assert reports  # at least the result, before it is confirmed


def test_the_client_says_what_is_wrong(krita, studio, png):
    _, client, _ = krita
    server = client.Studio(studio)
    for style, size, words in (("no-such", "64", "no style"), ("starry-night", "9999", "1024")):
        with pytest.raises(client.StudioError, match=words):
            server.stylize(png, style, size)
    with pytest.raises(client.StudioError, match="krita"):
        server.stylize(b"no image", "starry-night", "64")
    with pytest.raises(client.StudioError, match="stopped"):
        server.stylize(png, "starry-night", "64", lambda text: False)
    if "@" in studio:
        with pytest.raises(client.StudioError, match="USER:PASSWORD"):
            client.Studio(studio.replace("ada:love%40lace@", "")).styles()
        with pytest.raises(client.StudioError, match="400"):
            client.Studio(studio.replace("love", "hate"))


def test_addresses_where_no_studio_answers(krita):
    _, client, _ = krita
    with pytest.raises(client.StudioError, match="no address"):
        client.Studio("localhost:7860")
    with pytest.raises(client.StudioError, match="no studio answers"):
        client.Studio("http://127.0.0.1:9").styles()


class Painter:
    """A studio that returns the negative of what it gets, at another size."""

    def stylize(self, png, style, size, report):
        assert (style, size) == ("starry-night", "auto")
        assert report("one pass")
        alpha = Image.open(io.BytesIO(png)).convert("RGBA").getchannel("A")
        image = Image.eval(Image.open(io.BytesIO(png)).convert("RGB"), lambda value: 255 - value)
        image.putalpha(alpha)
        file = io.BytesIO()
        image.resize((48, 32), Image.Resampling.BOX).save(file, "PNG")
        return file.getvalue()


@pytest.fixture
def run(krita, monkeypatch):
    """Press the menu item with these answers of the user; the messages that were shown."""
    extension, _, app = krita
    real = "mock" not in type(extension.Qt).__module__
    running = extension.Qt.QApplication([]) if real else None

    def press(document, source="Whole image"):
        shown = []
        app.document = document
        answers = Painter(), source, "starry-night", "auto"
        monkeypatch.setattr(extension, "ask", lambda krita: answers)
        box = extension.Qt.QMessageBox
        monkeypatch.setattr(box, "warning", lambda parent, title, text: shown.append(text))
        app.extensions[0].run()
        return shown

    yield press
    del running


@pytest.mark.parametrize("source", ["Whole image", "Current layer"])
def test_the_result_becomes_a_layer_of_the_document(krita, run, picture, source):
    extension, _, _ = krita
    document = qt.Document(extension.QImage, picture)
    assert run(document, source) == []
    (layer,) = document.root.children
    assert (layer.name, layer.kind) == ("Impasto: starry-night", "paintlayer")
    assert document.refreshed == 1
    made = Image.frombytes("RGBA", picture.size, layer.pixels, "raw", "BGRA")
    # the colours are those of the negative, and red and blue have not changed places
    for channel, before in zip("RGB", picture.resize((1, 1)).getpixel((0, 0)), strict=True):
        after = made.resize((1, 1)).getchannel(channel).getpixel((0, 0))
        assert abs(after - (255 - before)) <= 2
    assert made.getchannel("A").getextrema() == (255, 255)


def test_a_document_of_16_bits_gets_a_layer_of_8(krita, run, picture):
    document = qt.Document(krita[0].QImage, picture, depth="U16")
    assert run(document) == []
    assert document.root.children[0].space == ("RGBA", "U8")
    (message,) = run(document, "Current layer")
    assert "8 bits" in message


def test_without_an_image_there_is_a_message(run):
    assert run(None) == ["open an image first"]


def test_the_menu_item_is_among_the_scripts(krita):
    _, _, app = krita
    window = qt.mock.Mock()
    app.extensions[0].setup()
    app.extensions[0].createActions(window)
    assert window.createAction.call_args.args[2] == "tools/scripts"
    window.createAction.return_value.triggered.connect.assert_called_once()


class Box:
    """A list of choices of a dialog."""

    def __init__(self):
        self.items, self.at = [], 0

    def addItems(self, texts):  # noqa: N802
        self.items += [(text, None) for text in texts]

    def addItem(self, text, data):  # noqa: N802
        self.items.append((text, data))

    def findData(self, data):  # noqa: N802
        return next((at for at, item in enumerate(self.items) if item[1] == data), -1)

    def setCurrentIndex(self, at):  # noqa: N802
        self.at = at

    def currentText(self):  # noqa: N802
        return self.items[self.at][0]

    def currentData(self):  # noqa: N802
        return self.items[self.at][1]


def test_the_dialog_offers_the_styles_of_the_studio_and_keeps_the_answers(krita, monkeypatch):
    extension, _, app = krita
    widgets = qt.mock.MagicMock(QComboBox=Box)
    widgets.QInputDialog.getText.return_value = "http://studio", True
    widgets.QDialog.return_value.exec_.return_value = widgets.QDialog.Accepted
    widgets.QSpinBox.return_value.value.return_value = 0
    studio = SimpleNamespace(styles=lambda: {"one": "First", "two": "Second"})
    monkeypatch.setattr(extension, "Qt", widgets)
    monkeypatch.setattr(extension, "Studio", {"http://studio": studio}.get)
    monkeypatch.setattr(app, "settings", {("Impasto", "style"): "two"})
    assert extension.ask(app) == (studio, "Whole image", "two", "auto")
    assert app.settings == {("Impasto", "style"): "two", ("Impasto", "address"): "http://studio"}
    widgets.QDialog.return_value.exec_.return_value = None
    assert extension.ask(app) is None
    widgets.QInputDialog.getText.return_value = "", False
    assert extension.ask(app) is None


def test_the_button_stops_the_job(krita, monkeypatch):
    extension, client, _ = krita
    widgets = qt.mock.MagicMock()
    widgets.QProgressDialog.return_value.wasCanceled.return_value = True
    monkeypatch.setattr(extension, "Qt", widgets)

    class Slow:
        def stylize(self, png, style, size, report):
            if not report("step 1"):
                raise client.StudioError("stopped")

    with pytest.raises(client.StudioError, match="stopped"):
        extension.wait(Slow(), b"", "one", "auto")
    widgets.QProgressDialog.return_value.close.assert_called_once()
