"""The workflow as an agent skill, by the rules of the open format."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from paribus.errors import InputError
from paribus.mcp import skill
from paribus.mcp.prompt import NAMES
from paribus.workflow.step import STEPS


def test_the_skill_follows_the_format_and_names_every_step(tmp_path: Path) -> None:
    path = skill.write(tmp_path)
    assert path == tmp_path / "data-engineering-data-driven-feature" / "SKILL.md"
    assert path.parent.name in NAMES
    _, head, body = path.read_text().split("---\n", 2)
    said = yaml.safe_load(head)
    # agentskills.io/specification: what may stand there, and how long
    assert set(said) <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert said["name"] == path.parent.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", said["name"])
    assert len(said["name"]) <= 64
    assert 0 < len(said["description"]) <= 1024
    assert len(said["compatibility"]) <= 500
    assert len(body.splitlines()) < 500
    for step in STEPS:
        assert f"`{step.slug}` ({step.role})" in body


def test_written_again_it_is_the_same(tmp_path: Path) -> None:
    first = skill.write(tmp_path).read_bytes()
    assert skill.write(tmp_path).read_bytes() == first


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        skill.write(tmp_path / "file")
