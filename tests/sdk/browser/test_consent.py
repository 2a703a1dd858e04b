"""Consent: pending holds back, denied sends nothing and stores nothing."""

from __future__ import annotations

from tests.sdk.browser.conftest import Visit
from tests.sdk.browser.loopback import Loopback
from tests.sdk.browser.test_flags import answer, bulk, definitions

STORED = "[Object.keys(localStorage), Object.keys(sessionStorage), document.cookie]"


def test_pending_keeps_all_in_memory_until_granted(visit: Visit, server: Loopback) -> None:
    server.bulk = bulk(answer("checkout", "treatment", True))
    page = visit(consent="pending", flushSeconds=0.05, pageViews=True)
    page.evaluate("client.track('early', {n: 1})")
    page.evaluate("client.captureError(new Error('early'))")
    assert page.evaluate("client.decide('checkout').error_code") == "PROVIDER_NOT_READY"
    page.wait_for_timeout(300)
    assert server.requests == []
    assert page.evaluate(STORED) == [[], [], ""]
    page.evaluate("client.setConsent('granted')")
    (event,) = server.wait("early")
    assert event["anonymous_id"] == event["unit"] == page.evaluate("client.anonymousId")
    assert server.wait("$page_view")
    assert server.wait("$error")
    page.wait_for_function("client.peek('checkout') === 'treatment'")
    assert "paribus_id=" + event["anonymous_id"] in page.evaluate("document.cookie")


def test_granting_finds_the_visitor_of_before(visit: Visit, server: Loopback) -> None:
    page = visit(flushSeconds=0.05)
    before = page.evaluate("client.anonymousId")
    visit(page, consent="pending", flushSeconds=0.05)
    page.evaluate("client.track('early')")
    assert page.evaluate("client.anonymousId") != before
    page.evaluate("client.setConsent('granted')")
    (event,) = server.wait("early")
    assert event["anonymous_id"] == event["unit"] == before


def test_denied_sends_and_stores_nothing_and_forgets(visit: Visit, server: Loopback) -> None:
    page = visit(flushSeconds=0.05, definitions=definitions())
    page.evaluate("client.variant('checkout'); client.flush()")
    server.wait("$exposure")
    assert page.evaluate(STORED) != [[], [], ""]
    page.evaluate("client.track('waiting'); client.setConsent('denied'); client.track('later')")
    page.evaluate("client.captureError(new Error('later')); client.variant('checkout')")
    assert page.evaluate(STORED) == [[], [], ""]
    assert page.evaluate("client.stats.withheld") == 4
    arrived = len(server.requests)
    page.click("#next")
    page.wait_for_timeout(300)
    visit(page, consent="denied", recording=True, pageViews=True)
    page.evaluate("client.track('never')")
    page.click("#slow")
    page.wait_for_timeout(200)
    assert page.evaluate(STORED) == [[], [], ""]
    page.goto("about:blank")
    later = [path for path, _ in server.requests[arrived:]]
    assert server.named("waiting") == server.named("never") == []
    # The page between the two had consent again: only it may have asked.
    assert set(later) <= {"/ofrep/v1/evaluate/flags", "/api/v1/events"}


def test_decisions_before_consent_when_the_site_says_so(visit: Visit, server: Loopback) -> None:
    server.bulk = bulk(answer("checkout", "treatment", True))
    page = visit(consent="pending", decideBeforeConsent=True)
    page.evaluate("client.ready")
    assert page.evaluate("client.variant('checkout')") == "treatment"
    assert [path for path, _ in server.requests] == ["/ofrep/v1/evaluate/flags"]
    assert page.evaluate(STORED) == [[], [], ""]
