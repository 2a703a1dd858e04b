"""A shop as a document: who comes when, what they do, what the feature does to them, and what is broken."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Device = Literal["mobile", "desktop"]
Country = Literal["NO", "DE", "US", "GB"]
Channel = Literal["organic", "ad", "email"]
Step = Literal["product_viewed", "cart_item_added", "checkout_started", "payment_submitted", "order_completed"]
Event = Literal[
    "session_started",
    "product_viewed",
    "search_performed",
    "cart_item_added",
    "checkout_started",
    "payment_submitted",
    "order_completed",
    "login_completed",
    "refund_requested",
    "survey_answered",
    "support_ticket_opened",
    "error_shown",
    "$request",
]
Arm = Literal["control", "treatment"]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
STEPS: tuple[Step, ...] = (
    "product_viewed",
    "cart_item_added",
    "checkout_started",
    "payment_submitted",
    "order_completed",
)


class Part(BaseModel):
    """Closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Feature(Part):
    """What is asked for, and the key of its flag."""

    key: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$")] = "one-click-checkout"
    requirement: Annotated[str, Field(min_length=1)] = "one-click checkout for returning mobile users"


class Calendar(Part):
    """When the history begins, and how visits are spread over weeks and hours (UTC)."""

    start: Annotated[date, Field(ge=date(2000, 1, 1), le=date(2099, 12, 31))] = date(2026, 3, 2)
    """First day of the history, 2000 to 2099."""
    history_days: Annotated[int, Field(ge=7, le=365)] = 28
    weekday: Annotated[list[Positive], Field(min_length=7, max_length=7)] = [0.95, 0.92, 0.94, 0.97, 1.04, 1.12, 1.06]
    """Relative visits per weekday, Monday first."""
    peak_hour: Annotated[float, Field(ge=0, lt=24)] = 19.0
    peak_strength: Annotated[float, Field(ge=0, lt=1)] = 0.6
    """0: the same at every hour; near 1: almost nobody twelve hours from the peak."""
    growth_per_week: Annotated[float, Field(gt=-1, le=1)] = 0.0
    """Growth of visits from one week to the next."""

    @property
    def begin(self) -> datetime:
        """Midnight UTC of the first day."""
        return datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC)


class Population(Part):
    """Who comes: users with an account, and new ones."""

    known_users: Annotated[int, Field(ge=100, le=2_000_000)] = 30_000
    """Users who had an account before the history: they are `returning`."""
    visits_per_week: Positive = 0.24
    """Mean visits of a known user."""
    visit_spread: Annotated[float, Field(ge=0, le=5)] = 0.6
    """Coefficient of variation of visits between users."""
    new_users_per_day: NotNegative = 70.0
    new_users_who_return: Share = 0.25
    """Share of new users who go on visiting like known users; on every later visit they are `returning`."""
    propensity_sd: Annotated[float, Field(ge=0, le=3)] = 0.7
    """How much users differ in the chance of each step (standard deviation of the log odds); the same user's chances
    stay so, which is why behavior before the experiment predicts behavior in it."""
    device: dict[Device, NotNegative] = {"mobile": 0.85, "desktop": 0.15}
    country: dict[Country, NotNegative] = {"NO": 0.30, "DE": 0.25, "US": 0.25, "GB": 0.20}
    channel: dict[Channel, NotNegative] = {"organic": 0.55, "ad": 0.30, "email": 0.15}
    logged_in: Share = 0.9
    """Share of visits of returning users that begin logged in; the others log in at the checkout."""

    @model_validator(mode="after")
    def _has_somebody(self) -> Population:
        for name in ("device", "country", "channel"):
            if sum(getattr(self, name).values()) <= 0:
                raise ValueError(f"{name}: the shares add up to nothing")
        return self


class Who(Part):
    """Visits that something concerns; what is left out concerns everyone."""

    device: Device | None = None
    country: Country | None = None
    returning: bool | None = None
    channel: Channel | None = None


class Funnel(Part):
    """The chance of each step after the one before, on average over users."""

    product_viewed: Share = 0.95
    cart_item_added: Share = 0.88
    checkout_started: Share = 0.92
    payment_submitted: Share = 0.78
    order_completed: Share = 0.96


class Segment(Part):
    """Visits that behave differently: their own chances for the steps named, and prices."""

    who: Who
    rates: dict[Step, Share] = {}
    revenue_factor: Positive = 1.0
    visits_factor: Positive = 1.0
    """How often these users come, relative to others; `channel` cannot say it."""

    @model_validator(mode="after")
    def _says_of_users(self) -> Segment:
        if self.visits_factor != 1 and self.who.channel is not None:
            raise ValueError("visits_factor is of users, and a channel is of visits: leave one of the two out")
        return self


class Orders(Part):
    """What an order is worth, and what follows it."""

    revenue_mean: Positive = 46.0
    revenue_spread: Annotated[float, Field(ge=0, le=2)] = 0.6
    """Standard deviation of the logarithm of an order's revenue."""
    user_spread: Annotated[float, Field(ge=0, le=2)] = 0.4
    """The same between users: who spends much spends much again."""
    items_mean: Annotated[float, Field(ge=1, le=50)] = 2.2
    refunds: Share = 0.04
    refund_days: Positive = 3.0
    """Mean days from order to refund."""
    surveys: Share = 0.02
    survey_score: Annotated[float, Field(ge=1, le=5)] = 3.9
    """Mean score, 1 to 5."""
    tickets: Share = 0.01


class Requests(Part):
    """How the service behind the checkout answers: one request for each checkout."""

    route: Annotated[str, Field(min_length=1)] = "/checkout"
    latency_ms: Positive = 180.0
    """Median."""
    latency_spread: Annotated[float, Field(ge=0, le=2)] = 0.45
    """Standard deviation of the logarithm of the latency."""
    error_rate: Share = 0.0006
    abandon_after_error: Share = 0.7
    """Share of users who give up when the checkout fails."""
    local_breaker: bool = False
    """Whether the shop's services report to the SDK's circuit breaker, which then serves control by itself."""


class Late(Part):
    """Devices without a connection: their events of one visit arrive later."""

    share: Share = 0.01
    mean_hours: Positive = 5.0


class Bots(Part):
    """Automatic visitors: always the same few, very often, never logged in, and they buy nothing."""

    count: Annotated[int, Field(ge=0, le=10_000)] = 6
    visits_per_day: NotNegative = 6.0
    reach: Literal["session_started", "product_viewed", "cart_item_added", "checkout_started"] = "product_viewed"
    """The step at which they stop."""


class Decision(Part):
    """Where the code decides the variant: directly after this event, for these visits."""

    after: Literal["session_started", "product_viewed", "cart_item_added", "checkout_started"] = "checkout_started"
    who: Who = Who()


class Effect(Part):
    """What the treatment changes, for whom, and how that goes on after the first exposure."""

    on: Literal[
        "product_viewed",
        "cart_item_added",
        "checkout_started",
        "payment_submitted",
        "order_completed",
        "revenue",
        "items",
        "refunds",
        "surveys",
        "survey_score",
        "tickets",
    ]
    """A step of the funnel, or what an order is worth or leads to."""
    relative: Annotated[float, Field(ge=-1, le=5)] = 0.0
    """0.05 multiplies by 1.05."""
    absolute: Annotated[float, Field(ge=-1000, le=1000)] = 0.0
    """Added after that."""
    who: Who = Who()
    fades_half_life_days: Positive | None = None
    """Days since exposure after which half of the effect is left: novelty."""
    grows_half_life_days: Positive | None = None
    """Days since exposure after which half of the effect is there: learning."""

    @model_validator(mode="after")
    def _does_something(self) -> Effect:
        if self.relative == 0 and self.absolute == 0:
            raise ValueError("an effect changes something: give relative or absolute, and not 0")
        return self


class ErrorDefect(Part):
    """Requests that fail more often in one arm."""

    kind: Literal["errors"]
    arm: Arm = "treatment"
    rate: Share
    """Added to the error rate."""
    who: Who = Who()


class LatencyDefect(Part):
    """Requests that take longer in one arm."""

    kind: Literal["latency"]
    arm: Arm = "treatment"
    factor: Positive = 1.0
    add_ms: NotNegative = 0.0
    who: Who = Who()


class LostExposureDefect(Part):
    """A sample-ratio bug: the variant is served and its exposure is not recorded."""

    kind: Literal["lost_exposures"]
    arm: Arm = "treatment"
    share: Share
    who: Who = Who()


class InstrumentationDefect(Part):
    """Broken instrumentation: an event is not sent, sent twice, or misses or mistypes a property."""

    kind: Literal["event_missing", "event_doubled", "property_missing", "property_mistyped"]
    event: Event
    property: str = ""
    """Of the event; for the two kinds about properties."""
    share: Share = 1.0
    """Of the events."""
    arm: Arm | None = None
    """Only where this arm is served; both and the time before when left out."""
    from_day: int | None = None
    """Day since the start of the history from which it is broken; the end of the history when left out."""
    who: Who = Who()

    @model_validator(mode="after")
    def _names_a_property(self) -> InstrumentationDefect:
        if self.kind.startswith("property") != bool(self.property):
            raise ValueError(f"{self.kind} {'needs the name of' if not self.property else 'has no'} property")
        known = PROPERTIES[self.event]
        if self.property and self.property not in known:
            raise ValueError(f"{self.event} has no property {self.property!r}; it has {', '.join(known)}")
        return self


Defect = Annotated[
    ErrorDefect | LatencyDefect | LostExposureDefect | InstrumentationDefect, Field(discriminator="kind")
]


class Scenario(Part):
    """A simulated shop with a known truth. Nothing in it reaches the analysis but its events."""

    paribus_scenario: Literal[1]
    """Format of this document."""
    title: Annotated[str, Field(min_length=1)]
    story: str = ""
    """What happens in it, for people."""
    feature: Feature = Feature()
    calendar: Calendar = Calendar()
    population: Population = Population()
    funnel: Funnel = Funnel()
    segments: list[Segment] = []
    """The first that fits a visit gives its rates."""
    orders: Orders = Orders()
    requests: Requests = Requests()
    late: Late = Late()
    bots: Bots = Bots()
    decision: Decision = Decision()
    effects: list[Effect] = []
    defects: list[Defect] = []
    stock_per_day: Annotated[int, Field(ge=1)] | None = None
    """Orders that can be filled in a day, shared by both arms; without it there is enough for all."""
    config: dict[str, Any] = {
        "experiment_config": {"min_sample_size": 1500},
        "minimum_detectable_effect": 0.12,
        "statistical_methods": ["frequentist", "bayesian"],
        "economics": {
            "currency": "USD",
            "margin": 0.4,
            "build_cost": 25_000,
            "running_cost_per_year": 4_000,
            "support_cost_per_year": 6_000,
        },
    }
    """The feature's paribus.yaml: a shop of this size has fewer users than the usual least sample."""


PROPERTIES: dict[str, tuple[str, ...]] = {
    "session_started": ("device", "country", "returning", "channel"),
    "product_viewed": ("product", "category", "price"),
    "search_performed": ("results",),
    "cart_item_added": ("product", "price", "quantity"),
    "checkout_started": ("items", "value"),
    "payment_submitted": ("method",),
    "order_completed": ("revenue", "items"),
    "login_completed": (),
    "refund_requested": ("value",),
    "survey_answered": ("score", "theme"),
    "support_ticket_opened": ("theme",),
    "error_shown": ("kind", "route"),
    "$request": ("method", "route", "status", "seconds", "error", "exception", "variants"),
}
