"""One store of each kind for the contract suite: a SQLite file, and a schema of its own in a real PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paribus.store import Store, open_store


class HandClock:
    """A clock that stands still until someone moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def new_schema(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Makes an empty schema in PostgreSQL; returns the URL that sees only this schema."""

    def make() -> str:
        import psycopg

        url: str = request.getfixturevalue("postgres_url")
        name = f"s{secrets.token_hex(6)}"
        with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{url}?options=-csearch_path%3D{name}"

    return make


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path, new_schema: Callable[[], str]) -> str:
    """Where a store can be opened that does not exist yet."""
    return str(tmp_path / "definitions.sqlite") if request.param == "sqlite" else new_schema()


@pytest.fixture
def store(place: str, clock: HandClock) -> Iterator[Store]:
    opened = open_store(place, clock=clock)
    yield opened
    opened.close()
