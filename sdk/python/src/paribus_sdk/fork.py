"""Forks: a child shares no thread, lock, file or queued event with its parent."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from typing import Protocol


class Forkable(Protocol):
    """What lives through a fork."""

    def after_fork(self) -> None:
        """Called in the child, before anything else of it runs."""
        ...

    def close(self) -> None:
        """Delivers and stops."""
        ...


whole = threading.RLock()
"""Held by a thread of ours while it does what a fork must not cut in two: a module half imported stays locked."""

_living: weakref.WeakSet[Forkable] = weakref.WeakSet()
_watching: list[bool] = []


def watch(client: Forkable) -> None:
    """Calls `client.after_fork` in each child of this process, as long as the client lives."""
    if not _watching and hasattr(os, "register_at_fork"):
        _watching.append(True)
        os.register_at_fork(before=whole.acquire, after_in_parent=whole.release, after_in_child=_after_fork)
    _living.add(client)


def _after_fork() -> None:
    whole.release()
    for client in tuple(_living):
        with contextlib.suppress(Exception):
            client.after_fork()
            _close_with_multiprocessing(client)


def _close_with_multiprocessing(client: Forkable) -> None:
    """A child of multiprocessing leaves by `os._exit`, past atexit: its own finalizers are told to close the client."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(client, lambda it: util.Finalize(None, it.close, exitpriority=100))
