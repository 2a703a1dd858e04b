"""What an organization has learned: the cards of its decided features, what people added, found again by words.

Step 15 writes a card for every feature that was decided. A feature is *closed* when a person has also written down what
they learned; without it, it stays open. Cards of closed and of open features are found alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from paribus.errors import Conflict, InputError
from paribus.experiments.words import stems
from paribus.store import Address
from paribus.workflow.dossier import ARTIFACT, LEARNING, Dossier, State

Json = dict[str, Any]
CONCLUSIVE = frozenset({"ship", "roll_back", "neutral"})
"""Verdicts that answer the question; iterate leaves it open."""
LEAST_WORDS = 4
WEIGHTS = {
    "insight": 3,
    "takeaway": 3,
    "tags": 3,
    "requirement": 2,
    "metric": 2,
    "segment": 2,
    "next": 1,
    "findings": 1,
}


@dataclass(frozen=True, slots=True)
class Learning:
    """One decided feature.

    insight, tags, closed_by  what a person wrote when they closed it; empty while it is open
    card                      what step 15 computed: effect, error, decision, takeaway
    next                      features that were opened from it: key, requirement, and the hypothesis that cites it
    """

    feature: str
    requirement: str
    card: Json
    insight: str = ""
    tags: tuple[str, ...] = ()
    closed_by: str = ""
    closed_at: str = ""
    next: tuple[Json, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Whether a person has written down what was learned."""
        return bool(self.insight)

    def plain(self) -> Json:
        """As JSON."""
        return {**asdict(self), "tags": list(self.tags), "next": list(self.next), "closed": self.is_closed}


@dataclass(frozen=True)
class LearningRate:
    """How much was learned.

    decided     features with a verdict that decides
    with_card   of these, with a learning card
    closed      of these, closed by a person
    conclusive  of these, with an answer: ship, roll back or neutral
    quarters    decided and conclusive by quarter of the decision, in order
    """

    decided: int
    with_card: int
    closed: int
    conclusive: int
    quarters: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The rate in words."""
        if not self.decided:
            return "No feature has been decided yet."
        latest = next(reversed(self.quarters), "")
        recent = f", {self.quarters[latest]['conclusive']} in {latest}" if latest else ""
        return (
            f"Learning rate: {self.with_card} of {self.decided} decided features have a card, {self.closed} were "
            f"closed with an insight; {self.conclusive} gave a conclusive answer{recent}."
        )

    def plain(self) -> Json:
        """As JSON."""
        return {**asdict(self), "sentence": self.sentence}


def close(dossier: Dossier, key: str, insight: str, *, tags: Sequence[str] = (), author: str) -> Learning:
    """Closes a feature with what was learned; closed again, the text is a new revision.

    Raises:
        InputError: nothing was learned, in words.
        Conflict: the sixteen steps are not done, or there is no card.
    """
    dossier.feature(key)
    said = " ".join(insight.split())
    if len(said.split()) < LEAST_WORDS:
        raise InputError(
            "a feature is closed with what was learned",
            where="--insight",
            rule=f"a sentence that the next team can use, {LEAST_WORDS} words or more",
            fix=f'paribus feature close {key} --insight "people on mobile stop at the address, not at the payment"',
        )
    open_ = next((each for each in dossier.states(key) if each.state is not State.DONE), None)
    if open_ is not None:
        raise Conflict(
            f"{key} cannot be closed: step {open_.step.slug} is {open_.state.value}",
            where=f"feature {key}",
            rule="a feature is closed when its sixteen steps are done",
            fix=f"paribus feature run {key}",
        )
    if not _card(dossier, key):
        raise Conflict(
            f"{key} has no learning card",
            where=f"feature {key}",
            rule="step 15 writes a card for what was decided",
            fix=f"paribus feature redo {key} --step impact",
        )
    body = {"insight": said, "tags": sorted({tag.strip().lower() for tag in tags if tag.strip()}), "by": author}
    dossier.put(LEARNING, key, body, author=author, reason="closed")
    return next(each for each in all_learnings(dossier) if each.feature == key)


def all_learnings(dossier: Dossier) -> tuple[Learning, ...]:
    """Every feature with a card, in the order of their keys."""
    following: dict[str, list[Json]] = {}
    keys = dossier.keys()
    features = {key: dossier.feature(key)[0] for key in keys}
    for key, each in features.items():
        if each.previous:
            following.setdefault(each.previous, []).append(
                {"feature": key, "requirement": each.requirement, "hypothesis": _cites(dossier, key)}
            )
    found = []
    for key in keys:
        card = _card(dossier, key)
        if not card:
            continue
        revision = dossier.store.find(Address(dossier.project, LEARNING, key))
        said = dict(revision.body) if revision is not None and revision.body is not None else {}
        found.append(
            Learning(
                key,
                features[key].requirement,
                card,
                insight=str(said.get("insight", "")),
                tags=tuple(said.get("tags", ())),
                closed_by=str(said.get("by", "")),
                closed_at=revision.time.isoformat() if revision is not None and said else "",
                next=tuple(following.get(key, ())),
            )
        )
    return tuple(found)


def search(learnings: Sequence[Learning], query: str) -> tuple[Learning, ...]:
    """Those that hold every word of the query by its stem, best first; all of them for an empty query.

    Words in an insight, a takeaway or a tag count three times, in the requirement, metric or segment twice.
    """
    asked = stems(query)
    if not asked:
        return tuple(learnings)
    scored = []
    for each in learnings:
        held = {name: set(stems(text)) for name, text in _texts(each).items()}
        if all(any(word in words for words in held.values()) for word in asked):
            score = sum(WEIGHTS[name] * len(words & set(asked)) for name, words in held.items())
            scored.append((-score, each.feature, each))
    return tuple(each for *_, each in sorted(scored, key=lambda found: found[:2]))


def learning_rate(dossier: Dossier) -> LearningRate:
    """Over all features of the project that have a verdict."""
    cards = {each.feature: each for each in all_learnings(dossier)}
    decided, conclusive, with_card, closed = 0, 0, 0, 0
    quarters: dict[str, dict[str, int]] = {}
    for key in dossier.keys():  # noqa: SIM118 - a method, not a mapping's
        facts = _facts(dossier, key, "analyze")
        if facts.get("verdict") not in {*CONCLUSIVE, "iterate"}:
            continue
        decided += 1
        answered = facts["verdict"] in CONCLUSIVE
        conclusive += answered
        with_card += key in cards
        closed += key in cards and cards[key].is_closed
        if facts.get("decided_at"):
            at = datetime.fromisoformat(facts["decided_at"])
            own = quarters.setdefault(f"{at.year}-Q{(at.month + 2) // 3}", {"decided": 0, "conclusive": 0})
            own["decided"] += 1
            own["conclusive"] += answered
    return LearningRate(
        decided,
        with_card,
        closed,
        conclusive,
        dict(sorted(quarters.items())),
    )


def _texts(of: Learning) -> dict[str, str]:
    return {
        "insight": of.insight,
        "takeaway": str(of.card.get("takeaway", "")),
        "tags": " ".join(of.tags),
        "requirement": of.requirement,
        "metric": str(of.card.get("metric", "")),
        "segment": str(of.card.get("segment", "")),
        "next": " ".join(str(each["requirement"]) for each in of.next),
        "findings": " ".join(map(str, of.card.get("findings", ()))),
    }


def _card(dossier: Dossier, key: str) -> Json:
    return dict(_facts(dossier, key, "impact").get("learning") or {})


def _cites(dossier: Dossier, key: str) -> str:
    """The change of the hypothesis that the following feature tests; empty before its step 2."""
    facts = _facts(dossier, key, "hypothesize")
    return next((str(h["change"]) for h in facts.get("hypotheses", ()) if h["id"] == facts.get("chosen")), "")


def _facts(dossier: Dossier, key: str, slug: str) -> Json:
    found = dossier.store.find(Address(dossier.project, ARTIFACT, f"{key}.{slug}"))
    return dict(found.body["facts"]) if found is not None and found.body is not None else {}
