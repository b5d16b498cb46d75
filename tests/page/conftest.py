"""A real Chromium, the real server, and somebody who reads the page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from motet.engine import Sampling
from motet.engine.opening import load
from motet.streams import Channel, ConvMode, Layout, Role
from tests.engine.scripted import END, SILENCE, engine_of, script
from tests.page.reader import Reader
from tests.server.front.conftest import Served, start

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
Read = Callable[..., Reader]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def served() -> Iterator[Served]:
    """The server with the embedded model."""
    server = start(load(), drain_s=0.5)
    yield server
    server.stop()


@pytest.fixture
def read(browser: Browser) -> Iterator[Read]:
    """Open the page of a server; at the end every reader must have seen no trouble."""
    readers: list[Reader] = []

    def reader(url: str, **context: Any) -> Reader:
        readers.append(Reader(browser, url, **context))
        return readers[-1]

    yield reader
    for one in readers:
        one.close()


@pytest.fixture
def reader(read: Read, served: Served) -> Reader:
    """The page of the embedded model, open."""
    return read(served.url).open()


def scripted_server(says: dict[str, str], *channels: Channel) -> Served:
    """A server whose model says these letters, row by row, in these channels."""
    layout = Layout(
        channels=channels, silence=SILENCE, end=END,
        conv_mode=ConvMode.COLUMN, channel_embedding=True,
    )  # fmt: skip
    engine = engine_of(layout, script(layout, says), sampling=Sampling(temperature=0.0))
    return start(engine, drain_s=0.5)


USER, OUTPUT = Channel("User", Role.INPUT), Channel("Output", Role.OUTPUT)


def thought(name: str) -> Channel:
    return Channel(name, Role.THOUGHT)
