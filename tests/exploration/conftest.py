"""One shop for all tests that only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from tests.exploration.shopping import visits

from paribus.exploration.event_log import EventLog
from paribus.exploration.opening import open_files


@pytest.fixture(scope="session")
def events() -> pd.DataFrame:
    return visits()


@pytest.fixture(scope="session")
def shop_file(events: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "events.parquet"
    events.to_parquet(path)
    return path


@pytest.fixture(scope="session")
def log(shop_file: Path) -> Iterator[EventLog]:
    with open_files(shop_file) as opened:
        yield opened
