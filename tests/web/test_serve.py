"""The server of the page: types, headers, and what is refused."""

import urllib.error
import urllib.request

import pytest

from impasto.errors import InputError
from impasto.web.serve import serving


def headers(url):
    with urllib.request.urlopen(url) as answer:
        return answer.headers


def test_types_and_headers(page):
    with serving(page.path, 0) as url:
        types = {
            "": "text/html; charset=utf-8",
            "main.js": "text/javascript",
            "files.mjs": "text/javascript",
            "style.css": "text/css",
            "models.json": "application/json",
            "runtime/ort-wasm-simd-threaded.wasm.gz": "application/octet-stream",
        }
        for name, kind in types.items():
            found = headers(url + name)
            assert found["Content-Type"] == kind
            assert found["Content-Encoding"] is None
            assert found["Cross-Origin-Embedder-Policy"] == "require-corp"
            assert found["Cross-Origin-Opener-Policy"] == "same-origin"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            headers(url + "../conftest.py")
        port = int(url.rsplit(":", 1)[1].strip("/"))
        with (
            pytest.raises(InputError, match=f"port {port} cannot be used"),
            serving(page.path, port),
        ):
            pass


def test_without_the_headers_for_threads(page):
    with serving(page.path, 0, isolated=False) as url:
        assert headers(url)["Cross-Origin-Embedder-Policy"] is None
