"""An experiment file that names a flag: sealed before data, analyzed and verified on the data folder's lake."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.lake.sending import HandClock, decode, request
from tests.lake.test_maintained_lake import START, requests

from paribus import app
from paribus.errors import InputError
from paribus.lake import Lake

FILE = """
paribus: 1
experiment: new-checkout
flag: new-checkout
interference: none because each user meets only their own variant
variants: {control: 50, treatment: 50}
metrics: [{name: orders, type: proportion, event: order_completed}]
plan: {method: anytime}
"""


def test_sealed_before_data_analyzed_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("PARIBUS_DATA", str(data))
    file = tmp_path / "experiment.yaml"
    file.write_text(FILE)
    seal = app.seal(file, author="ada")
    assert (seal.timing, seal.rows_readable) == ("sealed before data", 0)
    with pytest.raises(InputError, match="holds no event yet"):
        app.analyze(file)

    clock = HandClock(START)
    sent = requests(1, 0, START)
    with Lake.open(data, clock=clock, decode=decode) as lake:
        clock.advance(hours=8)
        lake.landing.append(
            [request([{**each, "sent": each["at"]} for each in sent], received=START + timedelta(hours=7))]
        )
        lake.drain()
    result = app.analyze(file, segments=())
    assert result.registered
    assert sum(result.units.values()) == 20
    assert result.lake is not None
    again = app.verify(result.to_dict())
    assert again.data == "reproduced", again.text()
