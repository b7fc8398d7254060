"""A small Hugging Face Hub on this machine: the requests that the client makes for a model."""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub(BaseHTTPRequestHandler):
    """Repositories as files by commit: {"ada/wave": {"main": {"model.safetensors": b"..."}}}."""

    repositories, protocol_version = {}, "HTTP/1.1"

    def log_message(self, *_):
        """Print nothing."""

    def answer(self, data, status=200, **headers):
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def missing(self, what):
        self.answer({"error": f"{what} not found"}, 404, X_Error_Code=f"{what}NotFound")

    def do_GET(self):
        words = self.path.strip("/").split("/")
        api = words[:2] == ["api", "models"]
        name = "/".join(words[2:4] if api else words[:2])
        revision = words[-1] if api and "revision" in words else "main" if api else words[3]
        commits = self.repositories.get(name)
        if commits is None:
            return self.missing("Repo")
        by_hash = {commit(name, one): one for one in commits}
        revision = by_hash.get(revision, revision)
        if revision not in commits:
            return self.missing("Revision")
        if api:
            return self.answer({"id": name, "sha": commit(name, revision), "siblings": []})
        data = commits[revision].get(words[-1])
        if data is None:
            return self.missing("Entry")
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        return self.answer(data, X_Repo_Commit=commit(name, revision), ETag=etag)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        words, address = self.path.strip("/").split("/"), f"http://{self.headers['Host']}"
        if self.headers.get("Authorization") != "Bearer hf_ada":
            return self.answer({"error": "Invalid username or password."}, 401)
        if words[-1] == "validate-yaml":
            head = json.loads(sent)["content"].split("---")[1]
            wrong = [] if "license: mit" in head else [{"message": '"license" must be one of'}]
            return self.answer({"errors": wrong, "warnings": []}, 400 if wrong else 200)
        if words[-1] == "create":
            told = json.loads(sent)
            name = f"{told.get('organization', 'ada')}/{told['name']}"
            self.repositories.setdefault(name, {})
            return self.answer({"url": f"{address}/{name}", "id": name})
        if words[-2] == "preupload":
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(sent)["files"]
            ]
            return self.answer({"files": files})
        lines = [json.loads(line) for line in sent.splitlines()]
        files = {
            one["value"]["path"]: base64.b64decode(one["value"]["content"])
            for one in lines
            if one["key"] == "file"
        }
        name = "/".join(words[2:4])
        self.repositories[name]["main"] = files
        url = f"{address}/{name}/commit/{commit(name, 'main')}"
        return self.answer({"commitUrl": url, "commitOid": commit(name, "main")})


def commit(name, revision):
    """The hash of the commit that a revision names."""
    return hashlib.sha1(f"{name}@{revision}".encode()).hexdigest()


@contextmanager
def serving(repositories):
    """Serve the repositories; yields the address."""
    handler = type("Served", (Hub,), {"repositories": repositories})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
