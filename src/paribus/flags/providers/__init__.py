"""The same flag as other providers write it: LaunchDarkly, Split, Optimizely, Unleash.

Targeting, shares and values carry over; who gets which variant does not, because every provider hashes units in its
own way with its own seeds. `differences` says so, and what else a provider cannot hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from paribus.flags.document import Flag
from paribus.flags.providers.launchdarkly import launchdarkly
from paribus.flags.providers.optimizely import optimizely
from paribus.flags.providers.source import LOST, Source, Written
from paribus.flags.providers.split import split
from paribus.flags.providers.unleash import unleash

__all__ = ["LOST", "WRITERS", "Written", "write"]

WRITERS: dict[str, Callable[[Source], Written]] = {
    "launchdarkly": launchdarkly,
    "split": split,
    "optimizely": optimizely,
    "unleash": unleash,
}


def write(
    provider: str, key: str, body: Mapping[str, Any], environment: str, audiences: Mapping[str, Any] | None = None
) -> Written:
    """The flag's state in one environment, as the SDKs of `launchdarkly`, `split`, `optimizely` or `unleash` read it.

    Args:
        provider: whose file.
        key, body: the flag.
        environment: whose rules.
        audiences: documents of the audiences that its conditions name.
    """
    flag = Flag.model_validate(dict(body))
    return WRITERS[provider](Source(key, flag, environment, dict(audiences or {})))
