"""What is served at `/` and `/page/`: whole files, strict headers, and nothing else."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from motet.server.page_routes import page_router

FOLDER = resources.files("motet.server.page")
NAMES = [entry.name for entry in FOLDER.iterdir() if entry.name.endswith((".js", ".css", ".html"))]


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    app.include_router(page_router())
    return TestClient(app)


def test_page_comes_with_a_strict_policy(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert {source for value in policy.values() for source in value.split()} <= {
        "'none'", "'self'", "'script'",
    }  # fmt: skip
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("name", NAMES)
def test_files_are_served_as_they_are(client: TestClient, name: str) -> None:
    answer = client.get(f"/page/{name}")
    assert answer.content == FOLDER.joinpath(name).read_bytes()
    assert client.head(f"/page/{name}").headers["etag"] == answer.headers["etag"]
    again = client.get(f"/page/{name}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["/page/", "/page/__init__.py", "/page/../page_routes.py", "/page/%2e%2e/page_routes.py",
     "/page/..%2fconfig.py", "/page//etc/passwd", "/page/fonts", "/page/index.html/"],
)  # fmt: skip
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_modules_load_only_each_other_and_make_no_html() -> None:
    for name in NAMES:
        text = FOLDER.joinpath(name).read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        assert not re.search(r"(src|href|from|url\()\s*=?\s*[\"']?(https?:)?//", text), name
        if name.endswith(".js"):
            for module in re.findall(r'from "(.*?)"', text):
                assert module.removeprefix("./") in NAMES
