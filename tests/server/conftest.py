from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.installation import Installation, installed, running


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Installation]:
    with installed(tmp_path) as installation:
        yield installation


@pytest.fixture
def url(live: Installation) -> Iterator[str]:
    with running(live) as address:
        yield address
