"""What closed features teach the next one: effects for the prior, forecasts for the score, follow-ups to take up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from paribus.experiments.prior import Past
from paribus.impact.forecast import Scored
from paribus.workflow.facts.conclude import FollowUp

if TYPE_CHECKING:
    from paribus.workflow.context import Context

Card = dict[str, Any]


def cards(context: Context) -> tuple[Card, ...]:
    """The learning cards of every other feature that was decided, in the order of their keys."""
    from paribus.workflow.dossier import Dossier

    dossier = Dossier(context.store)
    found = []
    for key in sorted(dossier.keys()):
        if key == context.feature.key:
            continue
        impact = dossier.artifacts(key).get("impact")
        if impact is not None and impact.facts.get("learning"):
            found.append(impact.facts["learning"])
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
    from paribus.workflow.dossier import Dossier

    if not context.feature.previous:
        return ()
    artifact = Dossier(context.store).artifacts(context.feature.previous).get("optimize")
    if artifact is None:
        return ()
    return tuple(FollowUp.model_validate(each) for each in artifact.facts.get("follow_ups", ()))
