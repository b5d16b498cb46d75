"""Which pages may ask, and under which names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from motet.errors import SettingError
from motet.server.safety_origin import (
    check_host_name,
    check_origin,
    is_known_host,
    is_loopback,
    is_own_origin,
)

OURS = ["localhost", "localhost:8440", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8440", "10.0.0.7:80",
        "[::1]:8440", "[fe80::1]", "box.lan", "box.lan:8440"]  # fmt: skip
NOT_OURS = ["", "evil.example", "evil.example:8440", "localhost.evil.example", "127.0.0.1.nip.io",
            "box.lan.evil.example", "a@127.0.0.1", "127.0.0.1/x", "127.0.0.1:x", "[::1", "0x7f.1",
            "127.0.0.1:99999999", "127.0.0.1?x", "127.0.0.1#x", "localhost\\.evil"]  # fmt: skip


@pytest.mark.parametrize("header", OURS)
def test_names_of_this_server(header: str) -> None:
    assert is_known_host(header, {"box.lan"})


@pytest.mark.parametrize("header", NOT_OURS)
def test_names_that_may_have_been_rebound(header: str) -> None:
    assert not is_known_host(header, {"box.lan"})


@given(st.text(max_size=60))
def test_any_host_header_is_either_known_or_not(header: str) -> None:
    assert is_known_host(header, ()) in (True, False)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8440", "localhost:8440"),
        ("https://box.lan", "box.lan"),
        ("http://[::1]:8440", "[::1]:8440"),
        ("https://friend.example", "localhost:8440"),
    ],
)
def test_own_and_allowed_origins(origin: str, host: str) -> None:
    assert is_own_origin(Headers({"origin": origin, "host": host}), {"https://friend.example"})


@pytest.mark.parametrize(
    "origin",
    ["null", "http://evil.example", "http://localhost", "http://localhost:8441", "", "file://",
     "http://friend.example", "https://friend.example.evil.example", "chrome-extension://a",
     "ftp://localhost:8440", "http://localhost:8440.evil.example"],
)  # fmt: skip
def test_foreign_origins(origin: str) -> None:
    headers = Headers({"origin": origin, "host": "localhost:8440"})
    assert not is_own_origin(headers, {"https://friend.example"})


@pytest.mark.parametrize(
    ("site", "is_own"), [("none", True), ("same-origin", True), ("cross-site", False),
                         ("same-site", False)],
)  # fmt: skip
def test_a_browser_without_an_origin_says_where_it_comes_from(site: str, is_own: bool) -> None:
    assert is_own_origin(Headers({"sec-fetch-site": site, "host": "localhost"}), ()) is is_own


def test_a_program_says_nothing_and_may_ask() -> None:
    assert is_own_origin(Headers({"host": "localhost"}), ())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://Friend.Example", "https://friend.example"),
        ("https://friend.example:443/", "https://friend.example"),
        ("http://friend.example:80", "http://friend.example"),
        ("http://friend.example:8080", "http://friend.example:8080"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_allowed_origin_is_kept_as_browsers_write_it(given: str, kept: str) -> None:
    assert check_origin(given) == kept


@pytest.mark.parametrize(
    "origin", ["*", "null", "friend.example", "https://", "ftp://a", "https://a/path",
               "https://u@a", "https://a:x", "https://a?b"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(SettingError, match="--allow-origin"):
        check_origin(origin)


def test_host_names() -> None:
    assert check_host_name("Box.LAN") == "box.lan"
    for name in ("", "a:1", "http://a", "a b", "*"):
        with pytest.raises(SettingError, match="--allow-host"):
            check_host_name(name)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("example.org", False)],
)  # fmt: skip
def test_loopback(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local
