"""A change as the subject of a sentence: what was asked for in the imperative is said as a thing that is done."""

from __future__ import annotations

_DOUBLED = "let cut put set get run stop drop split swap trim skip ship"
_REGULAR = (
    "make remove reduce simplify move improve introduce enable replace give use merge combine change create "
    "add show hide allow offer ask tell send keep help speed shorten test try build launch start open mend fix turn "
    "explain highlight sort rank recommend suggest personalize prefill remind lower raise extend rework redesign"
)
_GERUNDS = {
    **{verb: verb + verb[-1] + "ing" for verb in _DOUBLED.split()},
    **{verb: (verb.removesuffix("e") if verb.endswith("e") else verb) + "ing" for verb in _REGULAR.split()},
}


def as_subject(change: str) -> str:
    """The change as a noun: a verb at its beginning becomes what is done.

    >>> as_subject("make sharing a report one click")
    'making sharing a report one click'
    >>> as_subject("one-click checkout for mobile users")
    'one-click checkout for mobile users'
    """
    first, space, rest = change.partition(" ")
    gerund = _GERUNDS.get(first.lower())
    return f"{gerund}{space}{rest}" if gerund and rest else change
