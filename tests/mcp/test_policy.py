"""What an agent may do alone: signed, refused when changed, each refusal naming its rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paribus.errors import AccessError, DefinitionError
from paribus.mcp import policy
from paribus.mcp.policy import Gate, Policy


def test_without_a_document_the_default_holds(tmp_path: Path) -> None:
    found = policy.read(tmp_path)
    assert found.is_default
    assert found.policy.max_traffic_bp == 1000
    assert found.policy.approve == ()


def test_what_was_signed_is_read_again(tmp_path: Path) -> None:
    policy.sign(tmp_path, Policy(max_traffic_bp=500, approve=("design",)), author="ann")
    found = policy.read(tmp_path)
    assert (found.policy.max_traffic_bp, found.policy.approve, found.signed_by) == (500, ("design",), "ann")
    assert (tmp_path / policy.KEY).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("change", ["widen", "signer", "signature", "no json", "no policy", "gone", "key gone", "key"])
def test_a_policy_that_was_changed_is_refused(tmp_path: Path, change: str) -> None:
    policy.sign(tmp_path, Policy(max_traffic_bp=500), author="ann")
    path = tmp_path / policy.POLICY
    document: dict[str, Any] = json.loads(path.read_text())
    if change == "widen":
        document["policy"]["max_traffic_bp"] = 10_000
    elif change == "signer":
        document["signed_by"] = "bob"
    elif change == "signature":
        document["signature"] = "0" * 64
    elif change == "no policy":
        del document["policy"]
    path.write_text("{" if change == "no json" else json.dumps(document))
    if change == "gone":
        path.unlink()
    if change == "key gone":
        (tmp_path / policy.KEY).unlink()
    if change == "key":
        (tmp_path / policy.KEY).write_text("00" * 32)
    with pytest.raises(AccessError, match="not the one that was signed"):
        policy.read(tmp_path)


def test_only_steps_can_be_named(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="desing"):
        policy.sign(tmp_path, Policy(approve=("desing",)), author="ann")


STRICT = Gate(Policy(steps=("explore",), approve=("explore",), redo=False, max_traffic_bp=1000))
USUAL = Gate(Policy())


@pytest.mark.parametrize(
    ("act", "rule"),
    [
        (lambda: STRICT.run("design", "p"), "steps"),
        (lambda: STRICT.approve("design", "p"), "approve"),
        (lambda: STRICT.redo("explore", exposed=False, person="p"), "redo"),
        (lambda: USUAL.redo("design", exposed=True, person="p"), "reversible_only"),
        (lambda: USUAL.traffic(1001, unpowered=(), person="p"), "max_traffic_bp"),
        (lambda: USUAL.traffic(500, unpowered=("errors",), person="p"), "powered_guardrails"),
        (lambda: USUAL.traffic(500, unpowered=None, person="p"), "powered_guardrails"),
    ],
)
def test_a_refusal_names_its_rule_and_what_a_person_can_do(act: Any, rule: str) -> None:
    with pytest.raises(AccessError) as caught:
        act()
    assert (caught.value.rule or "").startswith(rule)
    assert caught.value.fix == "a person can: p"


def test_what_is_allowed_passes() -> None:
    STRICT.run("explore", "p")
    STRICT.approve("explore", "p")
    USUAL.redo("design", exposed=False, person="p")
    USUAL.redo("analyze", exposed=True, person="p")
    USUAL.traffic(1000, unpowered=(), person="p")
    USUAL.traffic(0, unpowered=None, person="p")
    Gate(Policy(reversible_only=False, powered_guardrails=False, max_traffic_bp=10_000)).traffic(
        10_000, unpowered=("errors",), person="p"
    )
