"""Identities joined in the analysis: a linked anonymous id is its user, and a person of two variants is mixed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.experiments.lake_files import START, Shop

from paribus.errors import DefinitionError, InputError
from paribus.experiments.document import load
from paribus.experiments.history import look
from paribus.experiments.maintaining import not_kept
from paribus.experiments.on_lake import Snapshot, analyze_on_lake, as_history, lake_engine, measure_proof_again
from paribus.experiments.verify import verify
from paribus.warehouse.event_links import Links

TEXT = """
paribus: 1
experiment: new-checkout
flag: new-checkout
environment: prod
unit_type: UNIT
identity: first
interference: none because each user meets only their own variant
variants: {control: 50, treatment: 50}
metrics:
  - {name: revenue, event: order_completed, type: mean, value: revenue}
"""
AS_OF = START + timedelta(days=4)


def variant_of(i: int) -> str:
    return ["control", "treatment"][i % 2]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Forty visitors meet the flag before they log in, and buy after; twelve met it as users."""
    shop = Shop(tmp_path)
    for i in range(40):
        at = START + timedelta(minutes=i)
        shop.expose(f"a{i}", variant_of(i), at, unit_type="anonymous")
        shop.rows[-1] |= {"unit_type": "anonymous", "p_unit_type": "anonymous"}
        shop.add("order_completed", f"p{i}", at + timedelta(hours=1), {"revenue": float(i), "items": 1})
    for i in range(40, 52):
        shop.expose(f"p{i}", variant_of(i), START + timedelta(minutes=i))
    for i in (0, 1, 2):  # again after their login; two of them meet the other variant
        shop.expose(f"p{i}", variant_of(i + (i > 0)), START + timedelta(hours=2))
    at = START + timedelta(hours=3)  # an order before its buyer is known, and one of somebody who never logs in
    shop.add("order_completed", "a5", at, {"revenue": 100.0, "items": 1}, unit_type="anonymous")
    shop.add("order_completed", "a99", at, {"revenue": 100.0, "items": 1}, unit_type="anonymous")
    shop.write()
    return shop


def links(n: int = 30) -> Links:
    return Links({f"a{i}": f"p{i}" for i in range(n)} | {"a77": "p77"}, "default/prod")


def snapshot(shop: Shop) -> Snapshot:
    return Snapshot(shop.folder, "t", 1, tuple(shop.files), AS_OF)


def total(result: object, variant: str) -> tuple[float, float]:
    """Units of an arm, and their revenue together."""
    cells = result.proof["measurement"]["cells"]["revenue"]["cells"]  # type: ignore[attr-defined]
    own = [cell for cell in cells if cell["key"]["variant"] == variant and cell["n"]]
    return sum(cell["n"] for cell in own), sum(cell["n"] * cell["mean"][0] for cell in own)


def test_a_linked_visitor_is_the_user_who_buys(shop: Shop) -> None:
    document = load(TEXT.replace("UNIT", "user"), name="e")
    result = analyze_on_lake(document, snapshot(shop), threads=1, links=links())
    # a0 … a29 are persons; p1 and p2 met both variants; a30 … a39 never logged in
    persons = [i for i in range(30) if i not in (1, 2)] + list(range(40, 52))
    for variant in ("control", "treatment"):
        own = [i for i in persons if variant_of(i) == variant]
        revenue = sum(i for i in own if i < 40) + (100 if variant == variant_of(5) else 0)
        assert total(result, variant) == (len(own), pytest.approx(revenue))
    counts = result.proof["measurement"]["counts"]
    assert sum(counts["mixed_units"].values()) == 2
    assert counts["identity"] == {"joined": 3, "mixed": 2}
    assert counts["null_unit_rows"] == 10
    said = "Identities are joined: 3 units have several ids; 2 of them are mixed because of that, and nobody was moved."
    assert said in result.data_notes
    identity = result.proof["measurement"]["fingerprint"]["identity"]
    assert (identity["links"], identity["origin"]) == (30, "default/prod")  # a77 met nothing


def test_without_joining_each_id_stands_for_itself(shop: Shop) -> None:
    text = TEXT.replace("UNIT", "user").replace("identity: first\n", "")
    result = analyze_on_lake(load(text, name="e"), snapshot(shop), threads=1)
    assert result.units == {"control": 8, "treatment": 7}  # p0, p1, p2 and twelve more
    assert result.proof["measurement"]["counts"]["identity"] == {}
    assert "identity" not in result.proof["measurement"]["fingerprint"]


def test_units_that_are_anonymous_are_followed_through_their_login(shop: Shop) -> None:
    document = load(TEXT.replace("UNIT", "anonymous"), name="e")
    result = analyze_on_lake(document, snapshot(shop), threads=1, links=links())
    # those who never logged in are units too; their orders as users are somebody else's
    for variant in ("control", "treatment"):
        own = [i for i in range(52) if i not in (1, 2) and variant_of(i) == variant]
        revenue = sum(i for i in own if i < 30) + (100 if variant == variant_of(5) else 0)
        assert total(result, variant) == (len(own), pytest.approx(revenue))


def test_verify_joins_again_and_says_when_links_changed(shop: Shop) -> None:
    document = load(TEXT.replace("UNIT", "user"), name="e")
    result = analyze_on_lake(document, snapshot(shop), threads=1, links=links())

    def again(of: Links | None) -> str | None:
        return verify(result.to_dict(), remeasure=lambda p: measure_proof_again(p, shop.folder, None, of)).data

    assert again(links()) == "reproduced"
    assert again(replace(links(), person_of={**links().person_of, "a500": "p500"})) == "reproduced"  # of a stranger
    assert again(links(31)) == "data changed"
    assert again(replace(links(), person_of={**links().person_of, "a3": "p4"})) == "data changed"
    assert again(None) == "not addressable"


def test_what_joins_identities_is_not_kept_and_needs_links(shop: Shop) -> None:
    document = load(TEXT.replace("UNIT", "user"), name="e")
    assert "joins identities" in (not_kept(document) or "")
    with pytest.raises(InputError, match="no links are at hand"):
        analyze_on_lake(document, snapshot(shop))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("unit_type: UNIT", "unit_type: session", "units are of type session"),
        ("environment: prod\n", "", "no environment is named"),
        ("identity: first", "identity: last", "identity"),
    ],
)
def test_what_cannot_be_joined_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        load(TEXT.replace(old, new).replace("UNIT", "user"), name="e")


def test_history_that_begins_before_the_login_is_joined_too(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for i in range(60):
        at = START + timedelta(minutes=i)
        shop.add("session_started", f"a{i}", at, {}, unit_type="anonymous")
        if i % 2:
            shop.add("order_completed", f"p{i}", at + timedelta(hours=1), {"revenue": 10.0, "items": 1})
    shop.write()
    document = as_history(
        load(TEXT.replace("UNIT", "user"), name="e"), "session_started", since=START - timedelta(days=1)
    )
    linked = Links({f"a{i}": f"p{i}" for i in range(60)}, "default/prod")
    with lake_engine(document.design, document.data, snapshot(shop), links=linked) as engine:
        found = look(document, engine)
    assert found.units == 60
    assert found.populations["revenue"].mean[0] == pytest.approx(5.0)
