"""People around an artifact: comments, assignments, approval by roles, and a history that keeps all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.workflow.made import save
from typer.testing import CliRunner

from paribus.app.feature import workshop
from paribus.cli import app
from paribus.errors import DefinitionError, InputError, NotFound
from paribus.settings import Settings
from paribus.workflow.config import Config, parse
from paribus.workflow.walk import Stop, decide, next_stop

KEY = "one-click"
BOTH = "approvals:\n  required: []\n  by_role: {hypothesize: [business-analyst, data-scientist]}\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings(data=tmp_path / "data")
    with workshop(found) as shop:
        shop.new("one-click checkout for returning mobile users", key=KEY, config=parse(BOTH), author="test")
    for slug in ("explore", "hypothesize"):
        save(found, KEY, slug)
    return found


def state(settings: Settings, slug: str) -> dict[str, Any]:
    with workshop(settings) as shop:
        return next(each for each in shop.show(KEY)["steps"] if each["step"] == slug)  # type: ignore[no-any-return]


def test_two_roles_approve_step_2_each_another_person(settings: Settings) -> None:
    assert state(settings, "hypothesize")["reason"] == "of business-analyst and data-scientist"
    with workshop(settings) as shop:
        with pytest.raises(InputError, match="approved by roles"):
            shop.approve(KEY, "hypothesize", author="ann")
        with pytest.raises(InputError, match="does not decide"):
            shop.approve(KEY, "hypothesize", author="ann", role="data-engineer")
        half = shop.approve(KEY, "hypothesize", author="ann", role="business-analyst", why="worth it")
        assert (half["state"], half["reason"]) == ("waits for approval", "of data-scientist")
        with pytest.raises(InputError, match="ann has agreed as business-analyst already"):
            shop.approve(KEY, "hypothesize", author="ann", role="data-scientist")
        whole = shop.approve(KEY, "hypothesize", author="ben", role="data-scientist")
        assert whole["state"] == "done"
        assert whole["approved_as"] == {"business-analyst": "ann", "data-scientist": "ben"}


def test_a_changed_artifact_needs_both_again(settings: Settings) -> None:
    with workshop(settings) as shop:
        shop.approve(KEY, "hypothesize", author="ann", role="business-analyst")
        shop.approve(KEY, "hypothesize", author="ben", role="data-scientist")
    save(settings, KEY, "hypothesize", summary="Another.")
    assert state(settings, "hypothesize")["reason"] == "of business-analyst and data-scientist"


def test_nobody_agrees_for_a_role_automatically(settings: Settings) -> None:
    with workshop(settings) as shop:
        stop = next_stop(shop.dossier, KEY)
        assert isinstance(stop, Stop)
        assert (stop.kind, stop.step) == ("approval", "hypothesize")
        assert not decide(shop.dossier, KEY, stop, auto=True, ask=None, author="bot")
        assert not decide(shop.dossier, KEY, stop, auto=False, ask=lambda *_: True, author="bot")


def test_roles_are_those_that_exist_and_differ() -> None:
    with pytest.raises(DefinitionError, match="is no role"):
        parse("approvals: {by_role: {hypothesize: [manager]}}")
    with pytest.raises(DefinitionError, match="not different roles"):
        parse("approvals: {by_role: {hypothesize: [data-scientist, data-scientist]}}")
    with pytest.raises(DefinitionError, match="is no step"):
        parse("approvals: {by_role: {think: [data-scientist]}}")
    assert Config().approvals.by_role == {}


def test_comments_stay_and_tell_whether_the_artifact_is_the_same(settings: Settings) -> None:
    with workshop(settings) as shop:
        first = shop.comment(KEY, "hypothesize", "is the lift plausible?", author="ann")
        assert (first["number"], first["author"], first["current"]) == (1, "ann", True)
        shop.comment(KEY, "hypothesize", "yes, by the last three experiments", author="ben")
    save(settings, KEY, "hypothesize", summary="Another.")
    with workshop(settings) as shop:
        shop.comment(KEY, "hypothesize", "better now", author="ann")
        told = shop.comments(KEY, "hypothesize")
        assert [(each["author"], each["current"]) for each in told] == [("ann", False), ("ben", False), ("ann", True)]
        assert told == sorted(told, key=lambda each: each["time"])
        assert state(settings, "hypothesize")["comments"] == 3
        assert state(settings, "explore")["comments"] == 0
        with pytest.raises(InputError, match="says something"):
            shop.comment(KEY, "hypothesize", "  ", author="ann")
        with pytest.raises(NotFound):
            shop.comment(KEY, "design", "nothing there", author="ann")


def test_a_step_is_somebody_s_and_history_keeps_whose_it_was(settings: Settings) -> None:
    with workshop(settings) as shop:
        shop.assign(KEY, "design", "ben", author="ann", why="knows the metric")
        assert shop.assign(KEY, "design", "cid", author="ben")["assignee"] == "cid"
        shop.comment(KEY, "explore", "clear", author="dan")
        shop.approve(KEY, "hypothesize", author="ann", role="business-analyst")
        told = [(each["kind"], each["key"], each["author"], each["reason"]) for each in shop.history(KEY)]
        assert ("assignment", f"{KEY}.design", "ann", "knows the metric") in told
        assert ("assignment", f"{KEY}.design", "ben", "assigned") in told
        assert ("comments", f"{KEY}.explore", "dan", "comment 1") in told
        assert ("approval", f"{KEY}.hypothesize", "ann", "approved") in told
        assert shop.assign(KEY, "design", "", author="ann")["assignee"] == ""


def test_the_dossier_shows_them(settings: Settings, tmp_path: Path) -> None:
    with workshop(settings) as shop:
        shop.new("a faster search for everybody", key="search", author="test")
    save(settings, "search", "explore")
    with workshop(settings) as shop:
        shop.export("search", tmp_path / "dossier")
        file = tmp_path / "dossier" / "01-explore.md"
        assert "People" not in file.read_text()
        shop.comment("search", "explore", "is 2 October a hole in the data?", author="ann")
        shop.assign("search", "explore", "ben", author="ann")
        page = shop.export("search", tmp_path / "dossier")
    assert "is 2 October a hole in the data?" in file.read_text()
    assert "This step is ben's." in file.read_text()
    assert "is 2 October a hole in the data?" in page.read_text()


def test_the_commands(settings: Settings) -> None:
    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["feature", *words, "--data", str(settings.data)])

    assert run("comment", KEY, "hypothesize", "is the lift plausible?").exit_code == 0
    assert "is the lift plausible?" in run("comment", KEY, "hypothesize").output
    assert "ben's" in run("assign", KEY, "design", "ben").output
    shown = run("show", KEY).output
    assert "ben" in shown
    assert "1 comments" in shown
    refused = run("approve", KEY, "hypothesize", "--json")
    assert refused.exit_code == 2
    assert json.loads(refused.output)["error"]["where"] == "--role"
    agreed = run("approve", KEY, "hypothesize", "--role", "data-scientist")
    assert "of business-analyst" in agreed.output
    assert "comment 1" in run("history", KEY).output
