"""The OpenAPI document: valid, true of the endpoints, and enough to call them by."""

import inspect
import json
import urllib.error
import urllib.parse
import urllib.request
from io import BytesIO
from urllib.parse import quote

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from PIL import Image

from impasto.studio import serve
from impasto.studio.endpoints import Endpoints
from impasto.studio.openapi import document
from impasto.studio.serve import ServerOptions

from .conftest import LIMITS


def ask(url, body=None, kind="application/json", cookie=None):
    """Status and text of the answer."""
    headers = {"Content-Type": kind} | ({"Cookie": cookie} if cookie else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as got:
            return got.status, got.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture(scope="module")
def served(studio):
    status, text = ask(f"{studio}openapi.json")
    assert status == 200
    return json.loads(text)


def by_id(document):
    """Path and description of each operation."""
    return {
        does["operationId"]: (path, does)
        for path, item in document["paths"].items()
        for does in item.values()
    }


def test_the_served_document_is_valid_and_stands_where_gradio_has_its_own(studio, served):
    validate(served, cls=OpenAPIV31SpecValidator)
    assert json.loads(ask(f"{studio}gradio_api/openapi.json")[1]) == served
    assert served["servers"] == [{"url": studio.rstrip("/")}]


def test_it_describes_all_named_endpoints_with_all_their_fields(studio, served):
    named = json.loads(ask(f"{studio}gradio_api/info")[1])["named_endpoints"]
    operations = by_id(served)
    assert {name.lstrip("/") for name in named} == {"stylize", "texture", "styles"}
    for name, info in named.items():
        _, does = operations[name.lstrip("/")]
        body = does["requestBody"]["content"]["application/json"]["schema"]
        wanted = [one["parameter_name"] for one in info["parameters"]]
        assert list(body["properties"]) == wanted
        assert all(one["description"].endswith(".") for one in body["properties"].values())
        parameters = inspect.signature(getattr(Endpoints, name.lstrip("/"))).parameters
        assert {n: one["default"] for n, one in body["properties"].items() if "default" in one} == {
            n: parameters[n].default for n in wanted if n not in body.get("required", ())
        }


@pytest.fixture(scope="module")
def call(studio, served):
    """A caller of operations that knows the document alone."""
    address, operations = served["servers"][0]["url"], by_id(served)

    def body_of(operation, **fields):
        schema = operations[operation][1]["requestBody"]["content"]["application/json"]["schema"]
        jsonschema.validate(fields, {**schema, "components": served["components"]})
        return fields

    def run(operation, **fields):
        body = json.dumps(fields).encode()
        status, text = ask(address + operations[operation][0], body)
        assert str(status) in operations[operation][1]["responses"]
        if status != 200:
            return status, text.decode()
        path, does = operations[f"{operation}_events"]
        stream = ask(address + path.format(**json.loads(text)))[1].decode()
        name, _, data = stream.strip().split("\n\n")[-1].partition("\n")
        answer = json.loads(data.removeprefix("data: "))
        told = does["responses"]["200"]["content"]["text/event-stream"]["x-event-data"]
        if name == "event: complete":
            jsonschema.validate(answer, {**told["complete"], "components": served["components"]})
        return name.removeprefix("event: "), answer

    run.body, run.address, run.operations = body_of, address, operations
    return run


def upload(call, path):
    edge = "an-edge"
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'
    )
    body = head.encode() + path.read_bytes() + f"\r\n--{edge}--\r\n".encode()
    where, does = call.operations["upload"]
    assert list(does["requestBody"]["content"]) == ["multipart/form-data"]
    status, text = ask(call.address + where, body, f"multipart/form-data; boundary={edge}")
    assert status == 200
    return {"path": json.loads(text)[0], "meta": {"_type": "gradio.FileData"}}


def test_a_request_made_from_the_document_paints(call, pictures):
    fields = call.body(
        "stylize",
        photo=upload(call, pictures / "photo.jpg"),
        styles=["adele", "gray-tree"],
        weights=[1, 0.5],
        size="96",
        strength=0.5,
    )
    name, (result, words) = call("stylize", **fields)
    assert name == "complete"
    assert words.startswith("done")
    path, does = call.operations["download"]
    status, data = ask(call.address + path.replace("{path}", quote(result["path"])))
    assert str(status) in does["responses"]
    assert Image.open(BytesIO(data)).size == (96, 64)
    assert ask(result["url"])[1] == data


def test_a_texture_and_the_list_of_what_there_is(call, served):
    name, (result, _) = call("texture", **call.body("texture", name="bricks", width=64, height=32))
    assert name == "complete"
    assert Image.open(BytesIO(ask(result["url"])[1])).size == (64, 32)
    _, (table,) = call("styles")
    fields = call.operations["stylize"][1]["requestBody"]["content"]["application/json"]["schema"]
    known = fields["properties"]
    assert set(table["styles"]) <= set(known["styles"]["items"]["enum"])
    assert set(table["methods"]) == set(known["method"]["enum"]) - {""}
    assert list(table["qualities"]) == known["quality"]["enum"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"strength": 1.1}, "strength is 1.1"),
        ({"style_scale": 0}, "style scale is 0"),
        ({"style_scale": 8.1}, "style scale is 8.1"),
        ({"colors": "pink"}, "colors"),
        ({"quality": "superb"}, "no quality"),
        ({"method": "nothing"}, "no method"),
        ({"styles": ["nothing"]}, "no style"),
        ({"styles": ["adele"] * 7}, "more than 6"),
        ({"weights": [-1]}, "negative"),
        ({"seed": -1}, "seed is -1"),
        ({"size": "-4"}, "size is -4"),
        ({"settings": "x" * 2001}, "2000 letters"),
    ],
)
def test_what_the_document_forbids_is_refused(call, pictures, fields, words):
    given = {"photo": upload(call, pictures / "photo.jpg"), "styles": ["adele"], **fields}
    with pytest.raises(jsonschema.ValidationError):
        call.body("stylize", **given)
    name, answer = call("stylize", **given)
    assert name == "error"
    assert words in answer["error"]


def test_fields_that_are_missing_or_unknown_have_the_status_that_is_described(call):
    for fields in ({}, {"photo": None, "nothing": 1}):
        with pytest.raises(jsonschema.ValidationError):
            call.body("stylize", **fields)
        assert call("stylize", **fields)[0] == 400


def test_bounds_are_those_of_the_server():
    fields = by_id(document(LIMITS, "http://localhost"))["texture"][1]["requestBody"]
    width = fields["content"]["application/json"]["schema"]["properties"]["width"]
    assert width["maximum"] == LIMITS.side
    assert str(LIMITS.optimized) in width["description"]


@pytest.mark.slow
def test_a_studio_with_a_password_shows_it_after_the_login():
    with serve.serving(ServerOptions(port=0, auth="ada:secret")) as url:
        for path in ("openapi.json", "gradio_api/openapi.json"):
            assert ask(url + path)[0] == 401
        form = urllib.parse.urlencode({"username": "ada", "password": "secret"}).encode()
        with urllib.request.urlopen(f"{url}login", form) as answer:
            cookie = answer.headers.get_all("Set-Cookie")[1].partition(";")[0]
        status, text = ask(f"{url}openapi.json", cookie=cookie)
    served = json.loads(text)
    assert status == 200
    validate(served, cls=OpenAPIV31SpecValidator)
    scheme = served["components"]["securitySchemes"]["login"]
    assert cookie.startswith(f"{scheme['name']}=")
    assert by_id(served)["login"][1]["security"] == []
