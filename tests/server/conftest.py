from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.server.installation import Installation, installed, running


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("data")) as installation:
        yield installation


@pytest.fixture(scope="module")
def url(live: Installation) -> Iterator[str]:
    with running(live) as address:
        yield address
