"""A studio that is served once for each file of tests, and small pictures to give it."""

import pytest
from PIL import Image
from skimage import data, transform

from impasto.studio import serve
from impasto.studio.limits import Limits
from impasto.studio.serve import ServerOptions

LIMITS = Limits(upload=2 << 20, pixels=1_000_000, side=1024, optimized=512)


@pytest.fixture(scope="module")
def studio(pictures):
    """Its address; a studio limits what Pillow opens, so the pictures are made before."""
    with serve.serving(ServerOptions(port=0, queue=4, client_jobs=20, limits=LIMITS)) as url:
        yield url


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Files: photo.jpg (144x96), painting.png, broken.jpg, huge.png (too many pixels)."""
    folder = tmp_path_factory.mktemp("pictures")

    def write(name, array, width, height):
        small = transform.resize(array, (height, width), anti_aliasing=True)
        Image.fromarray((small * 255).astype("uint8")).save(folder / name)

    write("photo.jpg", data.chelsea(), 144, 96)
    write("painting.png", data.retina(), 96, 96)
    (folder / "broken.jpg").write_bytes((folder / "photo.jpg").read_bytes()[:700])
    Image.new("RGB", (1200, 1000)).save(folder / "huge.png")
    return folder


@pytest.fixture(scope="module")
def browser():
    from . import chromium

    with chromium.launched() as running:
        yield running


@pytest.fixture
def page(browser, studio):
    """The studio's page, which must ask nobody else for anything."""
    from . import chromium

    with chromium.opened(browser, studio) as page:
        yield page


@pytest.fixture(scope="module")
def used(browser, studio):
    """The same, with what other tests have left on it."""
    from . import chromium

    with chromium.opened(browser, studio) as page:
        yield page
