"""Buckets: which of 10,000 equal parts a unit falls into under a salt."""

from __future__ import annotations

import mmh3

BUCKETS = 10_000


def bucket(salt: str, unit: str) -> int:
    """The unit's bucket under `salt`: 0 to 9999, uniform, independent across salts.

    MurmurHash3 x86 32 (Austin Appleby, 2011) of `salt:unit` as UTF-8 with seed 0, scaled to 10,000.

    >>> bucket("salt", "u1") == (mmh3.hash("salt:u1", signed=False) * 10_000) >> 32
    True
    """
    # Bytes, never text: mmh3 5.3.1 crashes the process on text that has no UTF-8 form.
    return (mmh3.mmh3_32_uintdigest(well_formed(f"{salt}:{unit}").encode()) * BUCKETS) >> 32


def threshold(bucket_bound: int) -> int:
    """The smallest hash whose bucket is at least `bucket_bound`: comparing hashes saves the scaling.

    >>> [(hash_value * BUCKETS) >> 32 for hash_value in (threshold(1) - 1, threshold(1))]
    [0, 1]
    """
    return -((-bucket_bound << 32) // BUCKETS)


def unit_text(unit: object) -> str | None:
    """A unit as the text that is hashed: text as it is, integers in base 10; None for anything else, or empty."""
    if isinstance(unit, str):
        return well_formed(str(unit)) or None
    if isinstance(unit, int) and not isinstance(unit, bool) and unit.bit_length() <= MAXIMUM_UNIT_BITS:
        return str(int(unit))
    return None


def well_formed(text: str) -> str:
    """Text that has a UTF-8 form: halves of surrogate pairs are joined, lone ones become U+FFFD, as browsers do."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


MAXIMUM_UNIT_BITS = 4096
