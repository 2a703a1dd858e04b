"""The whole loop in one process: a flag, exposures, events, the lake, a verdict; and the care of its folder."""

import json
import random
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from paribus_sdk import Client
from typer.testing import CliRunner

from paribus.app import arrival, definition, lake, upkeep
from paribus.app.decoder import local_key
from paribus.app.live import Installation, running_server
from paribus.cli import app
from paribus.errors import InputError, LockedError, NotFound, StorageError
from paribus.events.dialects import dialect_named
from paribus.events.identity import LinkTable
from paribus.events.request import IntakeRequest
from paribus.flags import change
from paribus.governance.access import create_key
from paribus.server.application import create_app
from paribus.server.serve import Server
from paribus.settings import Settings
from paribus.store import Address

WHO = {"author": "tester", "reason": "test"}


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data", port=0, flush_seconds=0.1)


@pytest.fixture
def live(settings):
    with Installation(settings) as opened:
        opened.start()
        yield opened


@pytest.fixture
def server(live):
    ready = threading.Event()
    running = Server(create_app(live), "127.0.0.1", 0, lambda url: ready.set())
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    assert ready.wait(20)
    live.announce(running.url)
    yield running
    running.stop()
    thread.join(20)


@pytest.fixture
def client(live, server, tmp_path):
    _, secret = create_key(live.store, "server", environment="dev", author="tester")
    opened = Client(server.url, secret, cache_dir=tmp_path / "client")
    yield opened
    opened.close()


def write_flag(live, key="checkout"):
    definition.write(live.store, "flag", key, change.create(key, environment="dev"), expected=0, **WHO)


def visit(client, units, rate_of):
    rng = random.Random(7)
    for number in range(units):
        variant = client.variant("checkout", unit=f"u{number}")
        if rng.random() < rate_of[variant]:
            client.track("order_completed", unit=f"u{number}", revenue=10.0)
    assert client.flush(30)


def test_a_planted_effect_is_found_on_the_events_that_just_came_in(live, client):
    write_flag(live)
    lake.create_experiment(
        live.store, "checkout", flag="checkout", environment="dev", success=["order_completed"], author="tester"
    )
    lake.seal_experiment(live.store, "checkout", folder=live.folder, author="tester")
    assert client.ready(20)
    visit(client, 1200, {"control": 0.10, "treatment": 0.40})
    live.lake.drain()
    result = lake.analyze_experiment(live.store, live.lake, "checkout")
    assert result.verdict.value == "ship"
    assert result.verdict.arm == "treatment"


def test_every_event_is_counted_from_the_door_to_the_lake(live, client):
    write_flag(live)
    assert client.ready(20)
    visit(client, 200, {"control": 0.5, "treatment": 0.5})
    live.lake.drain()
    counted = arrival.reconcile(live.lake)
    assert counted["adds_up"]
    [ours] = counted["dialects"]
    assert ours["received"] == ours["distinct"] == client.stats.sent
    shown = arrival.tail(live.folder, live.decode, 1000)
    assert len(shown) == client.stats.sent
    assert {event["name"] for event in shown} == {"$exposure", "order_completed"}


def plan(**revenue):
    return {"events": {"order_completed": {"properties": {"revenue": {"type": "number", "required": True, **revenue}}}}}


def test_what_breaks_the_plan_is_held_and_comes_back_after_a_fix(live, client):
    live.write("default", "tracking_plan", "default", plan(minimum=0), expected=0, **WHO)
    client.track("order_completed", unit="u1", revenue=-3)
    client.track("order_completed", unit="u2", revenue=5)
    assert client.flush(60)
    live.lake.drain()
    held = arrival.quarantine(live.folder)
    assert held["reasons"] == {"contract": 1}
    assert "revenue" in held["items"][0]["detail"]
    assert "-3" not in held["items"][0]["detail"]
    live.write("default", "tracking_plan", "default", plan(), expected=1, **WHO)
    assert live.replay("default", "dev")["replayed"] == 1
    live.lake.drain()
    assert {event["unit"] for event in arrival.tail(live.folder, live.decode, 10)} == {"u1", "u2"}
    assert arrival.reconcile(live.lake)["adds_up"]


def test_a_breaking_change_of_the_plan_is_refused(live):
    live.write("default", "tracking_plan", "default", plan(), expected=0, **WHO)
    for breaking in ({"events": {}}, {"events": {"order_completed": {"properties": {"revenue": {"type": "string"}}}}}):
        with pytest.raises(InputError, match=r"revenue|removed"):
            live.write("default", "tracking_plan", "default", breaking, expected=1, **WHO)


def test_a_login_is_kept_beside_the_events(live):
    now = live.clock()
    body = json.dumps(
        {"sent_at": now.isoformat(), "batch": [{"event_id": "e1", "name": "login", "time": now.isoformat(),
         "anonymous_id": "anon-1", "user_id": "user-1", "properties": {}}]}
    ).encode()  # fmt: skip
    request = IntakeRequest("POST", "/api/v1/events", {}, {}, body, now)
    checked = dialect_named("paribus").check(request, live.plans("default", "dev"))
    live.landing.append([checked.row(local_key("default", "dev"))])
    live.lake.drain()
    [link] = LinkTable(live.store, project="default", environment="dev").links("anon-1")
    assert link.user_id == "user-1"
    live.store.erase(["anon-1"])
    assert LinkTable(live.store, project="default", environment="dev").links("anon-1") == []


def test_a_second_process_on_the_folder_is_refused_and_names_the_first(live, settings):
    with pytest.raises(LockedError):
        Installation(settings)


def test_commands_beside_the_server_find_it(live, server):
    assert running_server(live.folder)[0] == server.url
    assert (live.folder / "server.json").stat().st_mode & 0o077 == 0


def test_a_backup_made_in_use_is_whole_and_can_be_restored(live, client, settings, tmp_path):
    write_flag(live)
    assert client.ready(20)
    visit(client, 100, {"control": 0.5, "treatment": 0.5})
    live.lake.drain()
    upkeep.backup(settings, tmp_path / "backup")
    visit(client, 100, {"control": 0.5, "treatment": 0.5})  # deduplicated exposures, new orders
    restored = Settings(data=tmp_path / "restored", port=0)
    upkeep.restore(tmp_path / "backup", restored)
    with Installation(restored) as again:
        again.lake.drain()
        counted = arrival.reconcile(again.lake)
        assert counted["adds_up"]
        assert (
            again.store.get(Address("default", "flag", "checkout")).body
            == live.store.get(Address("default", "flag", "checkout")).body
        )
    assert all(finding.is_well for finding in upkeep.doctor(restored))


def test_what_is_no_backup_is_not_restored(tmp_path):
    with pytest.raises(NotFound):
        upkeep.restore(tmp_path, Settings(data=tmp_path / "new"))


def test_a_folder_of_a_newer_format_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "folder.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(StorageError, match="format 99") as refused:
        Installation(Settings(data=tmp_path))
    assert "upgrade" in refused.value.fix


def test_a_folder_with_other_files_is_not_taken(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match="other files"):
        Installation(Settings(data=tmp_path))


def test_snapshots_are_the_same_object_until_something_changes(live):
    write_flag(live)
    first = live.snapshot("default", "dev")
    assert live.snapshot("default", "dev") is first
    write_flag(live, "other")
    assert set(live.snapshot("default", "dev")["flags"]) == {"checkout", "other"}


def test_old_days_leave_by_retention(tmp_path):
    now = datetime(2026, 6, 20, tzinfo=UTC)
    with Installation(Settings(data=tmp_path / "data", retention_days=7), clock=lambda: now) as opened:
        for days in (1, 20):
            then = (now - timedelta(days=days)).isoformat()
            event = {"event_id": f"{days} days ago", "name": "visit", "time": then, "unit": "u1", "properties": {}}
            body = json.dumps({"sent_at": now.isoformat(), "batch": [event]}).encode()
            request = IntakeRequest("POST", "/api/v1/events", {}, {}, body, now)
            checked = dialect_named("paribus").check(request, opened.plans("default", "dev"))
            opened.landing.append([checked.row(local_key("default", "dev"))])
        opened.lake.drain()

        def present():
            return {event["event_id"] for event in arrival.tail(opened.folder, opened.decode, 10)}

        assert present() == {"1 days ago", "20 days ago"}
        opened.start()
        deadline = time.monotonic() + 20
        while len(present()) > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert present() == {"1 days ago"}


def test_an_event_that_waits_and_has_landed_is_listed_once(tmp_path):
    now = datetime(2026, 6, 20, tzinfo=UTC)
    with Installation(Settings(data=tmp_path / "data"), clock=lambda: now) as opened:
        event = {"event_id": "sent twice", "name": "visit", "time": now.isoformat(), "unit": "u1", "properties": {}}
        body = json.dumps({"sent_at": now.isoformat(), "batch": [event]}).encode()
        checked = dialect_named("paribus").check(
            IntakeRequest("POST", "/api/v1/events", {}, {}, body, now), opened.plans("default", "dev")
        )
        row = checked.row(local_key("default", "dev"))
        opened.landing.append([row])
        opened.lake.drain()
        opened.landing.append([row, row])
        assert [e["event_id"] for e in arrival.tail(opened.folder, opened.decode, 10)] == ["sent twice"]


def test_a_command_beside_the_server_lands_its_rows_through_it(live, server, settings, tmp_path, monkeypatch):
    (tmp_path / "orders.csv").write_text("at,who\n2020-01-01T00:00:00Z,u1\n2020-01-02T00:00:00Z,u2\n")
    monkeypatch.chdir(tmp_path)
    words = ["events", "import", "orders.csv", "--format", "csv", "--time", "at", "--unit", "who", "--event", "order"]
    done = CliRunner().invoke(app, [*words, "--data", str(settings.data)])
    assert "2 accepted" in done.output
    live.lake.drain()
    assert {event["unit"] for event in arrival.tail(live.folder, live.decode, 10)} == {"u1", "u2"}
    done = CliRunner().invoke(app, ["events", "erase", "u1", "--data", str(settings.data)])
    assert "erased 1 events" in done.output
    assert {event["unit"] for event in arrival.tail(live.folder, live.decode, 10)} == {"u2"}


def test_rows_are_taken_from_the_folders_owner_only(live, server):
    _, admin = create_key(live.store, "admin", environment="dev", author="tester")
    for secret, status in ((admin, 403), ("pb_admin_guess", 401)):
        headers = {"Authorization": f"Bearer {secret}"}
        assert httpx.post(f"{server.url}/api/v1/rows", json=[], headers=headers).status_code == status
