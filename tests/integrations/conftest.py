"""Import the integrations, which lie beside the package, and serve a studio for them."""

import importlib
import sys
from pathlib import Path

import pytest

from impasto.studio import serve
from impasto.studio.limits import Limits
from impasto.studio.serve import ServerOptions

FOLDER = Path(__file__).parents[2] / "integrations"


@pytest.fixture(scope="session")
def plug_in():
    """Import a module of an integration: plug_in("krita", "impasto_krita.client")."""

    def load(folder, module):
        sys.path.insert(0, str(FOLDER / folder))
        try:
            return importlib.import_module(module)
        finally:
            sys.path.remove(str(FOLDER / folder))

    return load


@pytest.fixture(scope="module", params=[None, "ada:love@lace"], ids=["open", "password"])
def studio(request):
    """The address of a studio, without and with a password, which stands in the address."""
    options = ServerOptions(port=0, auth=request.param, limits=Limits(side=1024))
    with serve.serving(options) as url:
        yield url.replace("//", "//ada:love%40lace@") if request.param else url
