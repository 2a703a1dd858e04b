"""The definitions in use, and who is told when they change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from paribus_sdk.counters import Stats
from paribus_sdk.evaluator import Evaluator
from paribus_sdk.fork import whole


class CurrentDefinitions:
    """The latest snapshot that could be read, and its evaluator.

    Args:
        stats: Where snapshots and failures are counted.
        use: Called with each new evaluator, before anybody else is told.

    Attributes:
        snapshot: The snapshot in use; empty before the first.
        evaluator: Its evaluator; None before the first.
        controls: The default variant of each flag.
        ready: Set when there is a first snapshot.
        callbacks: Called with the keys of the flags that changed.
    """

    def __init__(self, stats: Stats, use: Callable[[Evaluator], None]) -> None:
        self.snapshot: Mapping[str, Any] = {}
        self.evaluator: Evaluator | None = None
        self.controls: dict[str, str] = {}
        self.ready = threading.Event()
        self.callbacks: list[Callable[[frozenset[str]], None]] = []
        self._stats = stats
        self._use = use
        self._applying = threading.Lock()

    def apply(self, snapshot: Mapping[str, Any]) -> bool:
        """Whether the snapshot is in use now; one that cannot be read is counted, and the last one stays."""
        with self._applying:
            if snapshot == self.snapshot:
                return True
            with whole:
                evaluator = Evaluator(snapshot)
            if not evaluator.usable:
                self._stats.trouble("snapshot", "the definitions received cannot be read; the last good ones stay")
                return False
            changed = _changed(self.snapshot, snapshot)
            self.snapshot = snapshot
            self.controls = {
                flag: body["default_variant"]
                for flag, body in snapshot.get("flags", {}).items()
                if isinstance(body, Mapping) and isinstance(body.get("default_variant"), str)
            }
            self.evaluator = evaluator
            self._use(evaluator)
            self._stats.definitions += 1
            self.ready.set()
        for callback in tuple(self.callbacks):
            try:
                callback(changed)
            except Exception as error:  # noqa: BLE001  (the caller's code: definitions go on whatever it raises)
                self._stats.trouble("callback", f"a callback of on_change raised {error!r}")
        return True

    def after_fork(self) -> None:
        """Locks that no other thread of the parent holds."""
        self._applying = threading.Lock()
        self.ready = threading.Event()
        if self.evaluator is not None:
            self.ready.set()


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> frozenset[str]:
    before, after = old.get("flags", {}), new.get("flags", {})
    if any(old.get(shared) != new.get(shared) for shared in ("audiences", "layers", "holdouts")):
        return frozenset((*before, *after))
    return frozenset(flag for flag in {*before, *after} if before.get(flag) != after.get(flag))
