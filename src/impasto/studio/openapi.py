"""Describe the endpoints for programs by an OpenAPI document, and serve it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from impasto._version import __version__
from impasto.studio.limits import Limits
from impasto.studio.openapi_fields import Schema, bodies

_PREFIX = "/gradio_api"
_PATHS = "/openapi.json", f"{_PREFIX}/openapi.json"  # the second replaces Gradio's own document

_ABOUT = """\
Images are sent by `POST /gradio_api/upload`, which answers with a path for each file. A job is
started by `POST /gradio_api/call/v2/NAME`, which answers with an `event_id`.
`GET /gradio_api/call/NAME/{event_id}` then streams its progress, and at last its result or an
error. Closing the stream stops the job. Requests from pages of other sites are refused."""

_EVENTS = """\
Server-sent events, each with a name and a line of JSON as data. `generating`: a report, or the
result before it is confirmed. `complete`: the result, which is the last event. `error`: an object
whose `error` is a message, or null; the last event. `heartbeat`: null, nothing new."""

_FILE: Schema = {
    "type": "object",
    "required": ["path", "meta"],
    "properties": {
        "path": {"type": "string", "description": "What /gradio_api/upload has answered."},
        "orig_name": {"type": ["string", "null"], "description": "The name of the file."},
        "meta": {
            "type": "object",
            "required": ["_type"],
            "properties": {"_type": {"const": "gradio.FileData"}},
        },
    },
}
_RESULT: Schema = {
    "type": "object",
    "required": ["path", "url"],
    "properties": {
        "path": {"type": "string"},
        "url": {"type": "string", "description": "Where the file can be downloaded."},
    },
}
_JOB: Schema = {
    "type": "array",
    "prefixItems": [
        {"anyOf": [{"$ref": "#/components/schemas/Result"}, {"type": "null"}]},
        {"type": "string", "description": "A line of text: the progress, or the outcome."},
    ],
    "minItems": 2,
    "maxItems": 2,
}
_NAMES: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_TABLE: Schema = {
    "type": "array",
    "prefixItems": [
        {
            "type": "object",
            "description": "What there is, each name with a description.",
            "properties": dict.fromkeys(("styles", "textures", "methods", "qualities"), _NAMES),
        }
    ],
    "minItems": 1,
    "maxItems": 1,
}
_ANSWERS = {"stylize": _JOB, "texture": _JOB, "styles": _TABLE}


def routes(limits: Limits) -> list[Route]:
    """Return the routes that serve the document, to those who are logged in.

    Args:
        limits: Of this server.
    """

    async def serve(request: Request) -> Response:
        app = request.app
        cookie = f"access-token-unsecure-{app.cookie_id}"
        secure = request.cookies.get(f"access-token-{app.cookie_id}")
        if app.auth is not None and (secure or request.cookies.get(cookie)) not in app.tokens:
            return JSONResponse({"detail": "log in first: POST /login"}, 401)
        address = str(request.base_url).rstrip("/")
        return JSONResponse(document(limits, address, cookie if app.auth is not None else None))

    return [Route(path, serve) for path in _PATHS]


def document(limits: Limits, address: str, cookie: str | None = None) -> Schema:
    """Return the OpenAPI document of a studio.

    Args:
        limits: Of this server.
        address: Its address.
        cookie: The name of the cookie that shows who is logged in; None if nobody has to.
    """
    paths = {f"{_PREFIX}/upload": {"post": _upload(limits)}}
    for name, (about, body) in bodies(limits).items():
        paths[f"{_PREFIX}/call/v2/{name}"] = {"post": _start(name, about, body)}
        paths[f"{_PREFIX}/call/{name}/{{event_id}}"] = {"get": _follow(name)}
    paths[f"{_PREFIX}/file={{path}}"] = {"get": _download()}
    made: Schema = {
        "openapi": "3.1.0",
        "info": {"title": "Impasto studio", "version": __version__, "description": _ABOUT},
        "servers": [{"url": address}],
        "paths": paths,
        "components": {"schemas": {"File": _FILE, "Result": _RESULT}},
    }
    if cookie is not None:
        paths["/login"] = {"post": _login()}
        made["components"]["securitySchemes"] = {
            "login": {"type": "apiKey", "in": "cookie", "name": cookie}
        }
        made["security"] = [{"login": []}]
    return made


def _start(name: str, about: str, body: Schema) -> Schema:
    """Describe the request that starts a job."""
    event: Schema = {"type": "object", "required": ["event_id"]}
    event["properties"] = {"event_id": {"type": "string"}}
    return {
        "operationId": name,
        "summary": about,
        "requestBody": {"required": True, "content": _json(body)},
        "responses": {
            "200": {"description": "The job waits or runs.", "content": _json(event)},
            "400": _error("A field is missing or unknown."),
            "413": _error("The request is too large."),
            "422": _error("The body is no JSON object."),
            "503": _error("The queue is full, or this client has too many jobs: ask again later."),
            **_refusals(),
        },
    }


def _follow(name: str) -> Schema:
    return {
        "operationId": f"{name}_events",
        "summary": f"Follow a job of {name} to its result",
        "parameters": [_parameter("event_id", "Of the job.")],
        "responses": {
            "200": {
                "description": _EVENTS,
                "content": {
                    "text/event-stream": {
                        "schema": {"type": "string"},
                        "x-event-data": {"complete": _ANSWERS[name]},
                    }
                },
            },
            **_refusals(),
        },
    }


def _upload(limits: Limits) -> Schema:
    files = {"type": "array", "items": {"type": "string", "contentMediaType": "image/*"}}
    files["description"] = (
        f"Files of at most {limits.upload} bytes, images of at most {limits.pixels} pixels."
    )
    form = {"type": "object", "required": ["files"], "properties": {"files": files}}
    paths = {"type": "array", "items": {"type": "string"}}
    return {
        "operationId": "upload",
        "summary": "Upload files, which are deleted after an hour",
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
        "responses": {
            "200": {"description": "A path for each file.", "content": _json(paths)},
            "400": _error("This is no form with files."),
            "413": _error("A file is too large, or there are too many files at the moment."),
            **_refusals(),
        },
    }


def _download() -> Schema:
    return {
        "operationId": "download",
        "summary": "Download a result, whose `url` is this address",
        "parameters": [_parameter("path", "Of the result; slashes stay as they are.")],
        "responses": {
            "200": {"description": "The image.", "content": {"image/png": {}}},
            "404": _error("There is no such file, or not any more."),
            **_refusals(),
        },
    }


def _login() -> Schema:
    text = {"type": "string"}
    form: Schema = {"type": "object", "required": ["username", "password"]}
    form["properties"] = {"username": text, "password": text}
    return {
        "operationId": "login",
        "summary": "Log in; the answer sets the cookie",
        "security": [],
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": form}},
        },
        "responses": {
            "200": {"description": "Logged in."},
            "400": _error("The name or the password is wrong."),
            "429": _error("There were too many wrong passwords: wait a minute."),
        },
    }


def _parameter(name: str, about: str) -> Schema:
    where = {"name": name, "in": "path", "required": True}
    return {**where, "description": about, "schema": {"type": "string"}}


def _refusals() -> Schema:
    return {
        "401": _error("This studio has a password: log in first."),
        "403": _error("The host is unknown, or a page of another site asks for this."),
    }


def _error(about: str) -> Schema:
    schema = {"type": "object", "properties": {"detail": {"description": "The message."}}}
    return {"description": about, "content": _json(schema)}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}
