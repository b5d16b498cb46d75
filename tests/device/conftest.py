"""One runtime for each case of the device tests."""

from __future__ import annotations

import pytest

from motet.runtime.device import DeviceRuntime
from tests.device.models import CASES, tiny_on_device
from tests.tiny import Case


@pytest.fixture(scope="session", params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    """Every architecture, conv mode and number of channels that the device tests go through."""
    return request.param


@pytest.fixture(scope="session")
def runtime(case: Case) -> DeviceRuntime:
    """The runtime of `case`."""
    return tiny_on_device(case)
