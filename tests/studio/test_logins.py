"""Passwords that are guessed, and sessions that end."""

import logging
import urllib.error
import urllib.parse
import urllib.request

import pytest

from impasto.studio import logins, serve
from impasto.studio.serve import ServerOptions


@pytest.fixture(scope="module")
def studio():
    with serve.serving(ServerOptions(port=0, auth="ada:secret")) as url:
        yield url


def login(studio, password, who):
    """(status, cookies, words) of a login."""
    form = urllib.parse.urlencode({"username": "ada", "password": password}).encode()
    request = urllib.request.Request(f"{studio}login", form, {"X-Forwarded-For": who})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            cookies = answer.headers.get_all("Set-Cookie")
            return 200, [one.partition(";")[0] for one in cookies], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def status(studio, cookie, path="config"):
    request = urllib.request.Request(studio + path, headers={"Cookie": cookie})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_guesses_are_few_and_are_logged(studio, caplog, monkeypatch):
    caplog.set_level(logging.WARNING, "impasto.studio")
    guesses = [login(studio, f"guess {n}", "203.0.113.1") for n in range(40)]
    assert [code for code, *_ in guesses] == [400] * 5 + [429] * 35
    _, heard, words = guesses[-1]
    assert "too many wrong passwords: try again in" in words
    assert 1 <= int(heard["Retry-After"]) <= 60
    assert login(studio, "secret", "203.0.113.1")[0] == 429  # nor does the right one help now
    assert login(studio, "secret", "203.0.113.2")[0] == 200
    said = [record.getMessage() for record in caplog.records]
    assert said.count("a login of 203.0.113.1 failed: wrong name or password") == 5
    assert "a login of 203.0.113.1 was refused: 5 wrong passwords before" in said
    assert not any("guess" in words or "secret" in words for words in said)
    monkeypatch.setattr(logins, "WINDOW", 0.0)
    assert login(studio, "secret", "203.0.113.1")[0] == 200


def test_addresses_of_one_network_of_ipv6_are_one_client(studio):
    codes = [login(studio, "guess", f"2001:db8::{n:x}")[0] for n in range(1, 8)]
    assert codes == [400] * 5 + [429] * 2
    assert login(studio, "guess", "2001:db8:0:1::1")[0] == 400


def test_right_passwords_do_not_count(studio):
    assert [login(studio, "secret", "203.0.113.3")[0] for _ in range(8)] == [200] * 8


def test_a_logout_ends_this_session_and_no_other(studio):
    for which in (0, 1):  # the cookie of an encrypted page, the other one
        mine = login(studio, "secret", "203.0.113.4")[1][which]
        other = login(studio, "secret", "203.0.113.5")[1][which]
        assert status(studio, mine) == status(studio, other) == 200
        status(studio, mine, "logout?all_session=true")
        assert status(studio, mine) == 401  # also where the browser keeps the cookie
        assert status(studio, other) == 200
