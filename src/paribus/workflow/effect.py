"""Effects that must happen once: what they returned is kept, so that a step killed anywhere can run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.store import RecordType

if TYPE_CHECKING:
    from paribus.store import Store

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect of one making of a step."""

    feature: str
    step: str
    generation: int
    name: str
    result: Json


EFFECTS = RecordType(Effect, "workflow_effect", key=("feature", "step", "generation", "name"))


class Effects:
    """The effects of one making of a step."""

    def __init__(self, store: Store, feature: str, step: str, generation: int) -> None:
        self._records = store.records(EFFECTS)
        self._key = (feature, step, generation)

    def once(self, name: str, effect: Callable[[], Json]) -> Json:
        """What the effect returned the first time.

        An effect is repeated only when the process dies between the effect and its record: it has to be idempotent by
        its own keys for that moment (a document at its address, an event under its id).
        """
        found = self._records.find(*self._key, name)
        if found is None:
            found = Effect(*self._key, name, effect())
            self._records.upsert(found)
        return found.result
