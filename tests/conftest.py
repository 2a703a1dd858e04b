"""Fixtures for the whole suite: real database servers, started once per test process and only when a test asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest
from tests import services
from tests.recording import Recorder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-checks", action="store_true", help="write what the checks of other systems said")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--record-checks") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(), "record-checks")


def _offer(server: AbstractContextManager[str]) -> Iterator[str]:
    try:
        url = server.__enter__()
    except (services.MissingServer, ImportError) as missing:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"CI runs every engine: {missing}")
        pytest.skip(str(missing))
    try:
        yield url
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The SQLAlchemy URL of a PostgreSQL that this test process started for itself."""
    yield from _offer(services.postgres())


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """The SQLAlchemy URL of a MariaDB that this test process started for itself."""
    yield from _offer(services.mariadb())
