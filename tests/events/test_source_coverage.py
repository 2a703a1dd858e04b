"""Code without planned events fails; what sends them is found in Python, in scripts and in pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from paribus.errors import InputError
from paribus.events.codegen import python_client, typescript_client
from paribus.events.plan import parse_plan
from paribus.events.source_coverage import source_coverage

PLAN = parse_plan(
    {
        "events": {
            name: {"owner": "shop", "description": "d"}
            for name in ("cart_item_added", "order_completed", "survey_answered", "login_completed")
        }
    }
)


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


WHOLE = {
    "shop/cart.py": "from shop import events\n\n\ndef add(client, unit):\n    events.cart_item_added(client, unit)\n",
    "shop/order.py": 'def done(client, unit):\n    client.track("order_completed", unit, revenue=3.5)\n',
    "web/survey.ts": "export const sent = (client: Client) => {\n  surveyAnswered(client, { score: 3 });\n};\n",
    "web/login.html": '<form data-event="login_completed"></form>\n',
    "shop/events.py": python_client(PLAN),
    "web/events.ts": typescript_client(PLAN),
}


def test_every_way_of_sending_is_seen_with_its_place(tmp_path: Path) -> None:
    found = source_coverage(tree(tmp_path, WHOLE), PLAN)
    assert found.missing == ()
    assert found.sent == {
        "cart_item_added": ("shop/cart.py:5",),
        "order_completed": ("shop/order.py:2",),
        "survey_answered": ("web/survey.ts:2",),
        "login_completed": ("web/login.html:1",),
    }
    assert found.files == 4  # the generated clients send nothing by themselves


@pytest.mark.parametrize(
    ("file", "instead", "missing"),
    [
        (
            "shop/cart.py",
            "def add(client, unit):\n    pass  # events.cart_item_added(client, unit)\n",
            "cart_item_added",
        ),
        ("shop/order.py", 'NAME = "order_completed"\n', "order_completed"),
        ("web/survey.ts", "// surveyAnswered(client)\nfunction surveyAnswered(client) {}\n", "survey_answered"),
        ("web/login.html", "<!-- data-event='login_completed' --><form></form>\n", "login_completed"),
    ],
)
def test_an_event_that_no_call_sends_is_missing(tmp_path: Path, file: str, instead: str, missing: str) -> None:
    assert source_coverage(tree(tmp_path, {**WHOLE, file: instead}), PLAN).missing == (missing,)


def test_a_test_sends_nothing_and_a_name_out_of_the_plan_is_told(tmp_path: Path) -> None:
    files = {
        "tests/test_order.py": 'client.track("order_completed")\n',
        "shop/order.py": 'client.track("order_complete")\nclient.track("$page_view")\n',
    }
    found = source_coverage(tree(tmp_path, files), PLAN)
    assert found.missing == tuple(PLAN.events)
    assert found.unplanned == {"order_complete": ("shop/order.py:1",)}


def test_a_folder_without_code_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no source file"):
        source_coverage(tmp_path, PLAN)
    with pytest.raises(InputError, match="no folder"):
        source_coverage(tmp_path / "nowhere", PLAN)
