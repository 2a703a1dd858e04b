"""What spec/ says is what the code means."""

import json
from pathlib import Path

import jsonschema
import pytest

from paribus.app.published import texts
from paribus.flags.change import create

SPEC = Path(__file__).parents[2] / "spec"


@pytest.mark.parametrize("name", sorted(texts()))
def test_every_published_schema_is_current(name):
    assert (SPEC / name).read_text() == texts()[name], "run: make schemas"
    jsonschema.Draft202012Validator.check_schema(json.loads(texts()[name]))


def test_a_flag_meets_its_published_schema_and_a_wrong_one_does_not():
    validator = jsonschema.Draft202012Validator(json.loads((SPEC / "flag.schema.json").read_text()))
    body = create("checkout", environment="dev")
    assert validator.is_valid(body)
    assert not validator.is_valid(body | {"colour": "red"})
    assert not validator.is_valid({**body, "default_variant": "a b"})
