"""Exports of other systems, as landing rows of trusted times; written by the import, never by a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from paribus.events.dialects.amplitude import read_amplitude
from paribus.events.dialects.dialect import Dialect, each_event
from paribus.events.dialects.mixpanel import read_mixpanel
from paribus.events.dialects.paribus import ParibusDialect
from paribus.events.dialects.segment import SegmentDialect
from paribus.events.hygiene import Flaw
from paribus.events.incoming import Batch, Derived, Incoming
from paribus.events.request import IntakeRequest

_AMPLITUDE_TAKEN = frozenset(("event_time", "$insert_id", "uuid", "client_event_time", "server_upload_time", "app"))


class _Body(msgspec.Struct):
    batch: list[Any]


_read_body = msgspec.json.Decoder(_Body).decode


class HistoryDialect(Dialect):
    """An export: `{"batch": [lines]}`."""

    list_key: ClassVar[str | None] = "batch"
    is_trusted = True

    def key(self, request: IntakeRequest) -> str | None:
        """None: nothing comes in this way."""
        return None


class AmplitudeHistory(HistoryDialect):
    """Amplitude's export API: times are UTC without an offset."""

    name = "history.amplitude"
    source_name = "amplitude"

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The exported events."""
        derived = Derived(self.name, document)
        return Batch(each_event(_read_body(document).batch, flaws, lambda line, index: _exported(line, index, derived)))


class MixpanelHistory(HistoryDialect):
    """Mixpanel's raw export: events as they are tracked."""

    name = "history.mixpanel"
    source_name = "mixpanel"

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The exported events."""
        derived = Derived(self.name, document)
        return Batch(
            each_event(_read_body(document).batch, flaws, lambda line, index: read_mixpanel(line, index, derived))
        )


class SegmentHistory(HistoryDialect):
    """Segment's storage destinations: messages as they were sent, with both timestamps."""

    name = "history.segment"
    source_name = "segment"

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The stored messages."""
        return SegmentDialect().read(document, flaws)


class CsvHistory(HistoryDialect):
    """Rows of a CSV file with declared columns, as events of our own."""

    name = "history.csv"
    source_name = "csv"

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The rows as events."""
        return ParibusDialect().read(document, flaws)


def _exported(line: dict[str, Any], index: int, derived: Derived) -> Incoming:
    event = {key: value for key, value in line.items() if key not in _AMPLITUDE_TAKEN}
    event["time"] = line.get("event_time")
    event["insert_id"] = line.get("$insert_id") or line.get("uuid")
    return read_amplitude(event, index, derived)
