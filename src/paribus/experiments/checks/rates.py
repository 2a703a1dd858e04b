"""Does a rate of unusual units differ between the arms?"""

from __future__ import annotations

from collections.abc import Mapping

from paribus.stats.proportion import proportion_test


def rate_difference_p(unusual: Mapping[str, int], units: Mapping[str, int], control: str) -> float:
    """P-value that some treatment's rate of unusual units is not the control's (Fisher exact, Bonferroni over arms).

    >>> rate_difference_p({"a": 0, "b": 0}, {"a": 10, "b": 10}, "a")
    1.0
    """
    treatments = [name for name in units if name != control]
    if not any(unusual.get(name, 0) for name in units):
        return 1.0
    smallest = 1.0
    for name in treatments:
        if units[control] == 0 or units[name] == 0:
            continue
        table = unusual.get(control, 0), units[control], unusual.get(name, 0), units[name]
        smallest = min(smallest, float(proportion_test(*table, method="fisher").p_value))
    return min(1.0, smallest * len(treatments))
