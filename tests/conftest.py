"""Fixtures that every test module may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of real logs and labelled runs, which are not part of the repository."""
    folder = os.environ.get("TRACER_REAL_LOGS")
    if not folder:
        pytest.skip("TRACER_REAL_LOGS is unset: no real logs to read")
    return Path(folder)
