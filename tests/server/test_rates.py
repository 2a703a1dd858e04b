from __future__ import annotations

from paribus.server.rates import Rates


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_the_rate() -> None:
    time = Time()
    rates = Rates(10, burst=5, monotonic=time)
    assert [rates.wait("a") for _ in range(5)] == [0] * 5
    assert round(rates.wait("a"), 6) == 0.1
    assert rates.wait("b") == 0, "each key has its own"
    time.now = 0.1
    assert rates.wait("a") == 0
    assert rates.wait("a") > 0, "a refused call is not counted, a taken one is"


def test_the_long_run_rate_is_exact() -> None:
    time = Time()
    rates = Rates(100, burst=1, monotonic=time)
    taken = 0
    for step in range(10_000):
        time.now = step / 1000
        taken += rates.wait("a") == 0
    assert abs(taken - 1000) <= 1


def test_memory_is_bounded_and_none_means_none() -> None:
    time = Time()
    rates = Rates(1, burst=1, monotonic=time, capacity=100)
    for key in range(1000):
        rates.wait(str(key))
    assert len(rates._arrival) <= 101
    assert all(Rates(0).wait("a") == 0 for _ in range(10_000))
