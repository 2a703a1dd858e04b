"""Which flags are broken by the flags they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from paribus_sdk.definitions import BrokenFlag, Flag, Problem

MAXIMUM_DEPTH = 50
MAXIMUM_EVALUATIONS = 1_000


def broken_prerequisites(flags: Mapping[str, Flag | BrokenFlag]) -> Iterator[Problem]:
    """A problem for each flag that needs an unknown flag or variant, itself, or more flags than one decision may."""
    in_cycle = _in_cycle(flags)
    costs: dict[str, tuple[int, int]] = {}
    for key, flag in flags.items():
        if isinstance(flag, BrokenFlag):
            continue
        problem = _unknown(flag, flags)
        if problem is None and key in in_cycle:
            problem = Problem(key, "prerequisites", "the flag needs itself, by way of its prerequisites")
        if problem is None:
            depth, evaluations = _cost(key, flags, in_cycle, costs)
            if depth > MAXIMUM_DEPTH or evaluations > MAXIMUM_EVALUATIONS:
                problem = Problem(
                    key,
                    "prerequisites",
                    f"one decision would go {depth} flags deep and evaluate {evaluations}, "
                    f"more than {MAXIMUM_DEPTH} or {MAXIMUM_EVALUATIONS}",
                )
        if problem is not None:
            yield problem


def _unknown(flag: Flag, flags: Mapping[str, Flag | BrokenFlag]) -> Problem | None:
    for index, prerequisite in enumerate(flag.prerequisites):
        needed = flags.get(prerequisite.flag)
        where = f"prerequisites[{index}]"
        if needed is None:
            return Problem(flag.key, f"{where}.flag", f"there is no flag {prerequisite.flag!r}")
        unknown = sorted(prerequisite.variants - {variant.name for variant in needed.variants})
        if unknown:
            return Problem(
                flag.key, f"{where}.variants", f"the flag {prerequisite.flag!r} has no variant {unknown[0]!r}"
            )
    return None


def _needs(key: str, flags: Mapping[str, Flag | BrokenFlag]) -> list[str]:
    flag = flags[key]
    return [] if isinstance(flag, BrokenFlag) else [item.flag for item in flag.prerequisites if item.flag in flags]


def _in_cycle(flags: Mapping[str, Flag | BrokenFlag]) -> set[str]:
    """Flags that reach themselves: the strongly connected components (Tarjan 1972), without recursion."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: set[str] = set()
    for root in flags:
        if root in order:
            continue
        work = [(root, iter(_needs(root, flags)))]
        order[root] = low[root] = len(order)
        stack.append(root)
        on_stack.add(root)
        while work:
            key, needed = work[-1]
            for other in needed:
                if other not in order:
                    order[other] = low[other] = len(order)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(_needs(other, flags))))
                    break
                if other in on_stack:
                    low[key] = min(low[key], order[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[key])
                if low[key] == order[key]:
                    members = stack[stack.index(key) :]
                    del stack[-len(members) :]
                    on_stack.difference_update(members)
                    if len(members) > 1 or key in _needs(key, flags):
                        found.update(members)
    return found


def _cost(
    key: str, flags: Mapping[str, Flag | BrokenFlag], in_cycle: set[str], costs: dict[str, tuple[int, int]]
) -> tuple[int, int]:
    """How many flags deep one decision goes, and how many it evaluates; a flag in a cycle evaluates none."""
    work = [key]
    while work:
        current = work[-1]
        needs = [] if current in in_cycle else _needs(current, flags)
        missing = [other for other in needs if other not in costs]
        if missing:
            work.extend(missing)
            continue
        work.pop()
        below = [costs[other] for other in needs]
        costs[current] = (1 + max((depth for depth, _ in below), default=0), 1 + sum(count for _, count in below))
    return costs[key]
