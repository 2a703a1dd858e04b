"""Who answers: the champion within its time budget, else the version before, else a rule. The user sees no error."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field

from paribus.models.latency import Latency

Row = Mapping[str, float]
Score = Callable[[Row], float]
RULE = "rule"


@dataclass(frozen=True, slots=True)
class Link:
    """A model of the chain: its name, and what scores a row."""

    name: str
    score: Score


@dataclass(frozen=True, slots=True)
class Answer:
    """A score, who gave it, and why those before it did not.

    failures  by name: `late`, `busy` (earlier calls still run), `error`, `not a number`
    """

    score: float
    served_by: str
    seconds: float
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_fallback(self) -> bool:
        """Whether the first of the chain did not answer."""
        return bool(self.failures)


class Chain:
    """Champion, earlier versions, rule, in this order.

    A model that does not answer within the budget is left to finish by itself, and the next one is asked; while all of
    its workers are so occupied it is passed over at once. In the worst case an answer takes the budget once per model.

    Args:
        links: the models, champion first.
        rule: gives a score from the row without any model; it must not fail, and 0.0 is served where it does.
        budget_seconds: the longest wait for one model.
        workers: calls of one model at a time.
    """

    def __init__(self, links: Sequence[Link], rule: Score, *, budget_seconds: float = 0.05, workers: int = 4) -> None:
        self.links = tuple(links)
        self.budget_seconds = budget_seconds
        self.served: Counter[str] = Counter()
        """Answers, by who gave them."""
        self.failed: Counter[tuple[str, str]] = Counter()
        """Failures, by name and kind."""
        self.latency = {link.name: Latency() for link in self.links}
        self._rule = rule
        self._lock = threading.Lock()
        self._free = {link.name: threading.BoundedSemaphore(workers) for link in self.links}
        self._pools = {
            link.name: ThreadPoolExecutor(workers, thread_name_prefix=f"model-{link.name}") for link in self.links
        }

    def answer(self, row: Row) -> Answer:
        """The score of a row; never raises."""
        began = time.perf_counter()
        failures: dict[str, str] = {}
        for link in self.links:
            outcome = self._ask(link, row)
            if isinstance(outcome, float):
                return self._answered(outcome, link.name, began, failures)
            failures[link.name] = outcome
        try:
            score = float(self._rule(row))
        except Exception:  # noqa: BLE001 - the last resort answers whatever happens
            failures[RULE], score = "error", 0.0
        return self._answered(score, RULE, began, failures)

    def close(self) -> None:
        """Ends the workers; what still runs is not waited for."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    @property
    def fallback_rate(self) -> float | None:
        """Share of answers that the champion did not give; None before the first."""
        total = sum(self.served.values())
        return 1 - self.served[self.links[0].name] / total if total and self.links else None

    def _ask(self, link: Link, row: Row) -> float | str:
        free = self._free[link.name]
        if not free.acquire(blocking=False):
            return "busy"
        began = time.perf_counter()
        try:
            running: Future[float] = self._pools[link.name].submit(link.score, row)
        except RuntimeError:
            free.release()
            return "error"
        running.add_done_callback(lambda _: free.release())
        try:
            score = float(running.result(timeout=self.budget_seconds))
        except Late:
            return "late" if not running.done() or running.exception() is None else "error"
        except Exception:  # noqa: BLE001 - whatever a model raises, the next one is asked
            return "error"
        self.latency[link.name].add(time.perf_counter() - began)
        return score if math.isfinite(score) else "not a number"

    def _answered(self, score: float, name: str, began: float, failures: Mapping[str, str]) -> Answer:
        with self._lock:
            self.served[name] += 1
            self.failed.update(failures.items())
        return Answer(score, name, time.perf_counter() - began, failures)
