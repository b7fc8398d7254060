"""Other sites: their pages, names that they point at this machine, frames around the page."""

import asyncio
import http.client
import json
from urllib.parse import urlsplit

import pytest

from impasto.studio import serve
from impasto.studio.origins import HostNames, OriginCheckMiddleware
from impasto.studio.serve import ServerOptions

EVIL = "https://evil.example"
PATHS = (
    ("GET", "/"),
    ("GET", "/config"),
    ("GET", "/gradio_api/info"),
    ("POST", "/gradio_api/upload"),
    ("POST", "/gradio_api/call/styles"),
    ("POST", "/gradio_api/queue/join"),
    ("POST", "/login"),
    ("OPTIONS", "/gradio_api/queue/join"),
)


def ask(studio, method="GET", path="/", body=None, **headers):
    """(status, headers, body) of a request; header names have _ for -."""
    url = urlsplit(studio)
    line = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    line.putrequest(method, path, skip_host="Host" in sent)
    for name, value in sent.items():
        line.putheader(name, value)
    line.putheader("Content-Length", str(len(body or b"")))
    line.endheaders(body)
    answer = line.getresponse()
    heard = [(name.lower(), value) for name, value in answer.getheaders()]
    text = answer.read().decode(errors="replace")
    line.close()
    return answer.status, heard, text


def of(heard, name):
    return [value for key, value in heard if key == name]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_page_of_another_site_gets_nothing(studio, method, path):
    port = urlsplit(studio).port
    for origin in (EVIL, "null", "http://localhost:3000", f"http://127.0.0.1:{port + 1}", ""):
        more = {"Access_Control_Request_Method": "POST"} if method == "OPTIONS" else {}
        status, heard, text = ask(studio, method, path, b"{}", Origin=origin, **more)
        assert status == 403, (origin, status)
        assert "another site" in text
        assert not [name for name, _ in heard if name.startswith("access-control")]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_name_that_another_site_points_here_gets_nothing(studio, method, path):
    port = urlsplit(studio).port
    for host in (
        "evil.example",
        f"evil.example:{port}",
        f"127.0.0.1.evil.example:{port}",
        f"localhost.evil.example:{port}",
        f"evil.example@127.0.0.1:{port}",
        f"8.8.8.8:{port}",
        "",
    ):
        status, _, text = ask(studio, method, path, b"{}", Host=host, Origin=f"http://{host}")
        assert status == 403, host
        assert "does not answer to" in text


def test_the_own_page_and_programs_are_answered(studio):
    port = urlsplit(studio).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost:9000"):  # 9000: a tunnel
        assert ask(studio, path="/config", Host=host)[0] == 200
        assert ask(studio, path="/config", Host=host, Origin=f"http://{host}")[0] == 200
        assert ask(studio, path="/config", Host=host, Sec_Fetch_Site="same-origin")[0] == 200


def test_what_other_sites_make_a_browser_ask_for(studio):
    image = {"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}
    frame = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}
    link = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    for site in ("cross-site", "same-site"):
        assert ask(studio, path="/config", Sec_Fetch_Site=site, **image)[0] == 403
        assert ask(studio, path="/", Sec_Fetch_Site=site, **frame)[0] == 403
        assert ask(studio, path="/", Sec_Fetch_Site=site, **link)[0] == 200
        assert ask(studio, path="/logout", Sec_Fetch_Site=site, **link)[0] == 403
        assert ask(studio, path="/logout/", Sec_Fetch_Site=site, **link)[0] == 403


def test_every_answer_says_how_it_may_be_used(studio):
    own = f"http://127.0.0.1:{urlsplit(studio).port}"
    for path, origin in (("/", own), ("/config", own), ("/no-such", own), ("/", EVIL)):
        _, heard, _ = ask(studio, path=path, Origin=origin)
        assert of(heard, "x-content-type-options") == ["nosniff"]
        assert of(heard, "x-frame-options") == ["DENY"]
        (policy,) = of(heard, "content-security-policy")
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'self'" in policy
        assert not [name for name, _ in heard if name.startswith("access-control")]


@pytest.mark.slow
def test_behind_a_proxy_that_speaks_https():
    """The set-up that the documentation recommends; the proxy passes Host on, or does not."""
    options = ServerOptions(port=0, auth="ada:secret", allow_host=("studio.example.org",))
    with serve.serving(options) as url:
        own, login = "https://studio.example.org", b"username=ada&password=secret"
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        proxy = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "203.0.113.7"}
        for host in ("studio.example.org", urlsplit(url).netloc):
            for origin in (EVIL, "http://studio.example.org", f"{own}:8443", "https://example.org"):
                asked = {"Host": host, "Origin": origin, **proxy}
                status, heard, _ = ask(url, "POST", "/login", login, **asked, **form)
                assert status == 403, (host, origin)
                assert not of(heard, "set-cookie")
            asked = {"Host": host, "Origin": own, **proxy}
            status, heard, _ = ask(url, "POST", "/login", login, **asked, **form)
            assert status == 200
            cookies = of(heard, "set-cookie")
            assert len(cookies) == 2
            for cookie in cookies:
                assert "samesite=lax" in cookie.lower()
                assert "none" not in cookie.lower().split("samesite", 1)[1]
                assert "secure" in cookie.lower().split("; ")
                assert "httponly" in cookie.lower().split("; ")
            session = "; ".join(cookie.partition(";")[0] for cookie in cookies)
            status, _, text = ask(url, path="/config", Cookie=session, **asked)
            assert status == 200
            assert json.loads(text)["title"] == "Impasto"
            assert ask(url, path="/config", Cookie=session, **{**asked, "Origin": EVIL})[0] == 403
        assert ask(url, Host="other.example.org")[0] == 403


@pytest.mark.slow
def test_cookies_over_http_are_lax_too():
    with serve.serving(ServerOptions(port=0, auth="ada:secret")) as url:
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        _, heard, _ = ask(url, "POST", "/login", b"username=ada&password=secret", **form)
        cookies = of(heard, "set-cookie")
        assert len(cookies) == 2
        assert all("samesite=lax" in cookie.lower() for cookie in cookies)
        # one of them reaches a browser that has no encryption
        assert sum("secure" in cookie.lower().split("; ") for cookie in cookies) == 1


def test_names_of_a_wider_address():
    wide = HostNames("0.0.0.0", False)
    assert wide.answers("192.168.1.4:7860")
    assert wide.answers("[fe80::1]:7860")
    assert wide.answers("localhost")
    assert not wide.answers("evil.example")
    assert HostNames("0.0.0.0", False, ("Studio.Example.org:8443",)).answers(
        "studio.example.org:8443"
    )
    assert HostNames("::1", True).answers("[::1]:7860")
    assert not HostNames("127.0.0.1", True).answers("192.168.1.4")
    assert wide.is_same_site("http://192.168.1.4:7860", "192.168.1.4:7860")
    assert wide.is_same_site("http://localhost", "localhost:80")
    assert not wide.is_same_site("http://localhost:1", "localhost:2")
    assert not wide.is_same_site("ftp://localhost", "localhost")
    assert not wide.is_same_site("http://localhost/path", "localhost")


@pytest.mark.parametrize("name", ["", "a b", "https://x.org", "x.org/path", "x:port", "a@b"])
def test_a_name_that_is_none_is_refused(impasto, name):
    outcome = impasto("studio", "--no-browser", "--allow-host", name)
    assert outcome.code == 2
    assert "--allow-host is NAME or NAME:PORT" in outcome.err


def test_websockets_of_other_sites_are_closed():
    reached, sent = [], []

    async def inner(scope, receive, send):
        reached.append(scope["headers"])

    async def send(message):
        sent.append(message)

    front = OriginCheckMiddleware(inner, HostNames("127.0.0.1", True))
    for origin in (b"https://evil.example", b"http://127.0.0.1:7860"):
        heard = [(b"host", b"127.0.0.1:7860"), (b"origin", origin)]
        scope = {"type": "websocket", "path": "/ws", "scheme": "ws", "headers": heard}
        asyncio.run(front(scope, None, send))
    assert len(reached) == 1
    assert reached[0][1][1] == b"http://127.0.0.1:7860"
    assert [message["type"] for message in sent] == ["websocket.close"]
