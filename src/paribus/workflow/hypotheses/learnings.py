"""What closed features teach the next one: effects for the prior, forecasts for the score, follow-ups to take up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from paribus.experiments.prior import Past
from paribus.impact.forecast import Scored
from paribus.workflow.facts.conclude import FollowUp

if TYPE_CHECKING:
    from paribus.store import Store
    from paribus.workflow.context import Context

Card = dict[str, Any]


def cards(context: Context) -> tuple[Card, ...]:
    """The learning cards of every other feature that was decided, in the order of their keys."""
    return every(context.store, but=context.feature.key)


def every(store: Store, *, but: str = "") -> tuple[Card, ...]:
    """The learning cards of all features that came as far, in the order of their keys, without one of them."""
    from paribus.workflow.dossier import Dossier

    found = []
    for key in sorted(Dossier(store).keys()):
        learning = _facts(store, key, "impact").get("learning") if key != but else None
        if learning:
            found.append(learning)
    return tuple(found)


def past(learned: Sequence[Card]) -> tuple[Past, ...]:
    """The completed experiments behind the cards, whatever came of them; those without an effect are left out."""
    return tuple(
        Past(
            feature=str(card["feature"]),
            family=str(card["family"]),
            effect=float(card["effect"]),
            se=float(card["se"]),
            shipped=bool(card["shipped"]),
            chance=card.get("chance"),
        )
        for card in learned
        if card.get("effect") is not None and card.get("se")
    )


def scored(learned: Sequence[Card]) -> tuple[Scored, ...]:
    """The forecasts behind the cards beside what came."""
    return tuple(
        Scored(str(card["feature"]), float(card["chance"]), bool(card["shipped"]), card.get("hit"))
        for card in learned
        if card.get("chance") is not None
    )


def follow_ups(context: Context) -> tuple[FollowUp, ...]:
    """The follow-ups that the feature before this one ended in; none without a feature before."""
    if not context.feature.previous:
        return ()
    drafted = _facts(context.store, context.feature.previous, "optimize").get("follow_ups", ())
    return tuple(FollowUp.model_validate(each) for each in drafted)


def _facts(store: Store, key: str, slug: str) -> Card:
    """The facts of one step of another feature; empty while it has not come as far."""
    from paribus.store import DEFAULT_PROJECT, Address
    from paribus.workflow.dossier import ARTIFACT

    found = store.find(Address(DEFAULT_PROJECT, ARTIFACT, f"{key}.{slug}"))
    return dict(found.body["facts"]) if found is not None and found.body is not None else {}
