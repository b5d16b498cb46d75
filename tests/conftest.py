"""Fixtures that several test folders share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

from motet.runtime.torch import TorchRuntime
from tests.tiny import CASES, Case, tiny_runtime

# a shell that starts the tests in the background lets Ctrl-C be ignored, also by our processes
signal.signal(signal.SIGINT, signal.default_int_handler)
# a loaded machine is no failure; everything else stays as hypothesis chose it for this place
settings.register_profile("motet", parent=settings.default, deadline=None)
# the same examples every time: what is found is in the change at hand, not in the luck of this run
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("motet")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """On tensors as small as these, more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    """Every architecture, conv mode and number of channels."""
    return request.param


@pytest.fixture(scope="session")
def runtime(case: Case) -> TorchRuntime:
    """The runtime of `case`."""
    return tiny_runtime(case)
