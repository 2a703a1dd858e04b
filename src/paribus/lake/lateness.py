"""How late events are: a histogram of the wait from corrected to received time, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BUCKETS_PER_DOUBLING = 8
BUCKETS = 1024


def buckets_of(waits: NDArray[np.int64]) -> NDArray[np.int64]:
    """The histogram's buckets of waits in microseconds: 0 below a millisecond, then each 9% wide."""
    import numpy as np

    milliseconds = np.maximum(waits, 0) / 1000
    logarithm = np.log2(np.maximum(milliseconds, 1))
    buckets = np.where(milliseconds < 1, 0, 1 + np.floor(BUCKETS_PER_DOUBLING * logarithm)).astype(np.int64)
    return np.minimum(buckets, BUCKETS - 1)


def quantile_seconds(counts: Sequence[tuple[int, int]], quantile: float) -> float | None:
    """The upper edge, in seconds, of the bucket that holds the quantile; None without events.

    Args:
        counts: pairs of bucket and number of events.

    >>> quantile_seconds([(0, 98), (8, 2)], 0.99)  # eight buckets after a millisecond
    0.002
    """
    total = sum(events for _, events in counts)
    seen = 0
    for bucket, events in sorted(counts):
        seen += events
        if total and seen >= quantile * total:
            return 0.0 if bucket == 0 else float(2 ** (bucket / BUCKETS_PER_DOUBLING) / 1000)
    return None
