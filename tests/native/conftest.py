"""One runtime for each case of the native tests."""

from __future__ import annotations

import pytest

from motet.runtime.native import NativeRuntime
from tests.native.models import CASES, tiny_native
from tests.tiny import Case


@pytest.fixture(scope="session", params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    """Every architecture, conv mode and number of channels that the native tests go through."""
    return request.param


@pytest.fixture(scope="session")
def runtime(case: Case) -> NativeRuntime:
    """The native runtime of `case`."""
    return tiny_native(case)
