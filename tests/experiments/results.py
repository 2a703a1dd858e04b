"""Results made by hand, one for every way an analysis can end: what the reports are looked at and tested with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tests.experiments.comparisons import END, START, comparison, curve, estimate, many, segments, undetermined

from paribus.experiments.result import (
    Check,
    Result,
    Verdict,
    VerdictValue,
)
from paribus.metrics.cells import StatementText
from paribus.metrics.definition import MetricType, Role
from paribus.stats.estimate import Reason, Undetermined

SQL = StatementText(
    "moments:orders",
    "duckdb",
    """SELECT "group" AS variant,
       count(*) AS n,
       sum(o.revenue - 31.2) AS s1_y,
       sum((o.revenue - 31.2) * (o.revenue - 31.2)) AS s2_yy
FROM read_parquet('exposures/*.parquet') AS e
LEFT JOIN orders AS o ON o.user_id = e.user_id AND o.time >= e.t0 AND o.time < e.t0 + INTERVAL 7 DAY
WHERE e.reason = 'SPLIT'
GROUP BY 1""",
)
PROBE = StatementText(
    "probe", "duckdb", "SELECT \"group\", count(*), count(DISTINCT user_id) FROM 'exposures/*.parquet' GROUP BY 1"
)


CONVERTED = comparison(
    "converted",
    MetricType.PROPORTION,
    Role.SUCCESS,
    0.1203,
    0.1272,
    0.00206,
    "better",
    method="Miettinen–Nurminen score",
    adjusted_p=0.0016,
    simultaneous=(0.0191, 0.0957),
)
REVENUE = comparison(
    "revenue",
    MetricType.MEAN,
    Role.SUCCESS,
    31.24,
    31.93,
    0.41,
    "inconclusive",
    adjusted_p=0.0924,
    simultaneous=(-0.0074, 0.0516),
    variance_reduction=0.38,
    capped_share=(0.00101, 0.00104),
    uncapped=estimate(0.83, 0.61),
)
LATENCY = comparison(
    "page load",
    MetricType.MEAN,
    Role.GUARDRAIL,
    1243.0,
    1246.0,
    4.1,
    "safe",
    direction="decrease",
    alternative="less",
    p=0.00002,
    margin=0.02,
)
ERRORS = comparison(
    "error rate",
    MetricType.RATIO,
    Role.GUARDRAIL,
    0.00213,
    0.00209,
    0.00004,
    "safe",
    direction="decrease",
    alternative="less",
    p=0.0000001,
    margin=0.05,
)
VISITS = comparison("visits per user", MetricType.COUNT, Role.SECONDARY, 4.127, 4.131, 0.019, "inconclusive")

CHECKS = (
    Check("sample ratio", "blocking", "passed", "50,212 and 49,987 units fit the planned 50:50 split.", 0.477),
    Check("multiple exposure", "blocking", "passed", "31 units (0.03%) met both variants; they are excluded."),
    Check("exposure loss", "blocking", "not_applicable", "There is no assignment record to reconcile with."),
    Check("pre-period balance", "warning", "passed", "No metric differed between the arms before exposure.", 0.61),
    Check("outliers", "warning", "passed", "The largest unit carries 0.2% of all revenue."),
    Check("sample ratio by segment", "diagnostic", "passed", "No segment departs from the planned split.", 0.33),
)

PLAN = {
    "key": "checkout_v2",
    "kind": "ab",
    "interference": "none because carts are not shared",
    "control": "control",
    "time_zone": "UTC",
    "plan": {
        "method": "fixed",
        "confidence_level": 0.95,
        "power": 0.8,
        "min_sample_size": 10_000,
        "start": START.isoformat(),
        "end": END.isoformat(),
        "runtime_days": 14,
        "looks": [],
        "planned_units": 100_000,
        "correction": "holm",
        "smallest_worthwhile": {"converted": 0.01},
    },
}
SEAL = {
    "hash": "9f2c41d7b6a05e3388c1f0e47d2b96a4c5e8d11270bb43fe9a6d20c1e7f3b580",
    "author": "ana@example.com",
    "time": "2026-02-27T10:12:00+00:00",
    "watermark": "2026-02-27T10:00:00+00:00",
    "rows_readable": 0,
    "timing": "sealed before data",
}

SHIP = Result(
    experiment="checkout_v2",
    title="One-page checkout",
    verdict=Verdict(
        VerdictValue.SHIP,
        4,
        "Ship treatment: converted (+5.7%, 95% interval +1.9% to +9.6%) shown better; page load and "
        "error rate shown safe; nothing got worse.",
        ("converted (success): better", "page load (guardrail): safe", "error rate (guardrail): safe"),
        arm="treatment",
    ),
    checks=CHECKS,
    comparisons=(CONVERTED, REVENUE, LATENCY, ERRORS, VISITS),
    segments=(),
    curve=(),
    units={"control": 50_212, "treatment": 49_987},
    control="control",
    as_of=datetime(2026, 3, 16, 6, 30, tzinfo=UTC),
    method="fixed",
    confidence_level=0.95,
    registered=True,
    plan=PLAN,
    seal=SEAL,
    deviations=(),
    data_notes=(
        "31 units (0.03%) met both variants and are left out of every number.",
        "1,204 events lie outside every unit's window of 7 days and are not counted.",
    ),
    statements=(PROBE, SQL),
    proof={
        "version": 1,
        "plan_hash": SEAL["hash"],
        "fingerprint": {"exposures": "sha256:ab12"},
        "seed": 0,
        "code": "paribus 0.1.0",
    },
    seconds=0.84,
)

ROLL_BACK = replace(
    SHIP,
    verdict=Verdict(
        VerdictValue.ROLL_BACK,
        2,
        "Roll back treatment: in treatment page load (+3.6%, 97.5% interval +2.9% to no limit) is shown "
        "worse than the margin allows.",
        ("page load (guardrail): harmful",),
        arm="treatment",
    ),
    comparisons=(
        replace(CONVERTED, conclusion="better"),
        comparison(
            "page load",
            MetricType.MEAN,
            Role.GUARDRAIL,
            1243.0,
            1288.0,
            4.1,
            "harmful",
            direction="decrease",
            margin=0.02,
            p=0.99999,
        ),
        comparison(
            "refunds", MetricType.PROPORTION, Role.SUCCESS, 0.0210, 0.0236, 0.0009, "worse", direction="decrease"
        ),
    ),
)

NOT_YET = replace(
    SHIP,
    verdict=Verdict(
        VerdictValue.NOT_YET,
        3,
        "Not yet: the plan is read once, at its end on 2026-03-16; treatment has 4,310 matured units of "
        "the 10,000 that the plan asks for in each arm.",
        ("the plan is read once, at its end",),
    ),
    comparisons=(
        replace(
            CONVERTED,
            absolute=Undetermined(Reason.PLAN_FORBIDS),
            relative=Undetermined(Reason.PLAN_FORBIDS),
            unadjusted=Undetermined(Reason.PLAN_FORBIDS),
            adjusted_p=None,
            simultaneous=None,
            conclusion="undetermined",
        ),
        replace(
            LATENCY,
            absolute=Undetermined(Reason.PLAN_FORBIDS),
            relative=Undetermined(Reason.PLAN_FORBIDS),
            unadjusted=Undetermined(Reason.PLAN_FORBIDS),
            conclusion="undetermined",
            immature_units=2_113,
        ),
    ),
    units={"control": 4_388, "treatment": 4_310},
    as_of=datetime(2026, 3, 4, 6, 30, tzinfo=UTC),
    segments=(),
)

NEUTRAL = replace(
    SHIP,
    verdict=Verdict(
        VerdictValue.NEUTRAL,
        6,
        "Neutral: any effect on converted (+0.1%, 95% interval -0.4% to +0.7%) is smaller than the "
        "smallest worth having.",
    ),
    comparisons=(
        comparison(
            "converted",
            MetricType.PROPORTION,
            Role.SUCCESS,
            0.1203,
            0.12047,
            0.00034,
            "equivalent",
            units=(1_850_312, 1_849_077),
        ),
        LATENCY,
    ),
    units={"control": 1_850_312, "treatment": 1_849_077},
)

ITERATE = replace(
    SHIP,
    verdict=Verdict(
        VerdictValue.ITERATE,
        5,
        "Iterate: in treatment converted (+5.7%, 95% interval +1.9% to +9.6%) is shown better, but "
        "refunds (+1.2%, 97.5% interval no limit to "
        "+7.9%) is shown neither safe nor harmful; about 212,000 units in each arm would settle it.",
        arm="treatment",
    ),
    comparisons=(
        CONVERTED,
        comparison(
            "refunds",
            MetricType.PROPORTION,
            Role.GUARDRAIL,
            0.0210,
            0.02125,
            0.00072,
            "not shown safe",
            direction="decrease",
            alternative="less",
            margin=0.03,
            p=0.31,
            required_units=212_000,
        ),
        LATENCY,
    ),
)

INVALID = replace(
    SHIP,
    verdict=Verdict(
        VerdictValue.INVALID,
        1,
        "Invalid, effects are hidden: the sample ratio does not fit the plan, 50,212 and 48,104 units "
        "for a 50:50 split (p < .0001).",
        ("the sample ratio does not fit the plan",),
    ),
    checks=(
        Check(
            "sample ratio",
            "blocking",
            "failed",
            "50,212 and 48,104 units do not fit the planned 50:50 split: 2.1% fewer units in treatment than expected.",
            1.8e-11,
            {"expected": [49158, 49158]},
        ),
        *CHECKS[1:5],
        Check(
            "sample ratio by segment",
            "diagnostic",
            "failed",
            "Only browser = Safari departs from the split (p < .0001): look there first.",
            2e-12,
        ),
    ),
    units={"control": 50_212, "treatment": 48_104},
)

UNREGISTERED = replace(
    SHIP,
    experiment="results.csv",
    title="",
    verdict=Verdict(
        VerdictValue.UNREGISTERED,
        0,
        "Unregistered reading: no plan was sealed before the data, so these numbers describe and do not decide.",
        would_be=VerdictValue.SHIP,
    ),
    registered=False,
    seal=None,
    as_of=None,
    comparisons=(CONVERTED, REVENUE),
    plan={
        "key": "results",
        "kind": "ab",
        "plan": {"method": "fixed", "confidence_level": 0.95, "correction": "holm", "looks": []},
    },
    warnings=("The analysis covers all rows of the file: without times there is no daily view.",),
)

UNDETERMINED = replace(
    UNREGISTERED,
    verdict=replace(UNREGISTERED.verdict, would_be=VerdictValue.ITERATE),
    comparisons=(
        undetermined("converted", Reason.TOO_FEW_EVENTS, "0 conversions in both arms"),
        undetermined("revenue", Reason.NO_VARIANCE, "every unit has 10"),
        undetermined("orders", Reason.TOO_FEW_UNITS, "12 and 9 units, the method needs 50 in each arm"),
        undetermined("refunds", Reason.ZERO_BASELINE),
    ),
    units={"control": 12, "treatment": 9},
)

MANY = replace(
    SHIP,
    experiment="checkout_forms",
    title="Three checkout forms",
    verdict=Verdict(VerdictValue.ITERATE, 7, "Iterate: inconclusive at the plan's end for checkout done and revenue."),
    comparisons=many(),
    units={"control": 1_203_441, "short form": 1_204_002, "one page": 1_203_191},
    method="anytime",
    plan={
        **PLAN,
        "plan": {
            **PLAN["plan"],
            "method": "anytime",
            "correction": "dunnett",
            "n_opt": 2_000_000,
            "planned_units": 3_600_000,
        },
    },  # type: ignore[dict-item]
)


SEGMENTS = replace(SHIP, segments=segments())


ANYTIME = replace(
    SHIP,
    method="anytime",
    plan={**PLAN, "plan": {**PLAN["plan"], "method": "anytime", "n_opt": 100_000}},  # type: ignore[dict-item]
    comparisons=tuple(
        replace(c, method="asymptotic confidence sequence", adjusted_p=c.adjusted_p and 2.2 * c.adjusted_p)
        for c in SHIP.comparisons
    ),
    segments=segments(),
    curve=(*curve("converted", 0.1203, 0.1272, 0.00206, 2.9, ()), *curve("revenue", 31.24, 31.93, 0.41, 2.9, ())),
)

SEQUENTIAL = replace(
    ANYTIME,
    method="group_sequential",
    plan={
        **PLAN,
        "plan": {**PLAN["plan"], "method": "group_sequential", "looks": [4, 7, 10, 14], "spending": "obrien_fleming"},
    },  # type: ignore[dict-item]
    comparisons=tuple(replace(c, method="group sequential, O'Brien–Fleming spending") for c in SHIP.comparisons),
    curve=curve("converted", 0.1203, 0.1272, 0.00206, 2.1, (4, 7, 10, 14)),
    deviations=("plan.end: sealed 2026-03-14, now 2026-03-16",),
)

HOSTILE_NAME = "<script>alert(1)</script>"
HOSTILE = replace(
    SEGMENTS,
    experiment=HOSTILE_NAME,
    title='"><img src=x onerror=alert(2)>',
    verdict=Verdict(
        VerdictValue.SHIP, 4, f"Ship {HOSTILE_NAME}: \x1b[31m=cmd|' /C calc'!A0 shown better.", arm=HOSTILE_NAME
    ),
    comparisons=(
        replace(CONVERTED, metric=HOSTILE_NAME, treatment=replace(CONVERTED.treatment, variant="=1+1")),
        replace(
            REVENUE, metric='=HYPERLINK("http://example.com")', notes=("@SUM(1)", "</script><script>alert(3)</script>")
        ),
    ),
    segments=tuple(replace(c, segment=("+country", "-2</td><script>")) for c in segments()[:1]),
    checks=(Check("</details><script>", "warning", "failed", "<b>bold</b>"),),
    data_notes=("<!-- <script> -->",),
    statements=(StatementText("moments", "duckdb", "SELECT '</pre></script><script>alert(4)</script>'"),),
    proof={"note": "</script><script>alert(5)</script>"},
    curve=(*curve(HOSTILE_NAME, 0.12, 0.127, 0.002, 2.0, ()),),
)

RESULTS: dict[str, Result] = {
    "ship": SHIP,
    "roll_back": ROLL_BACK,
    "not_yet": NOT_YET,
    "neutral": NEUTRAL,
    "iterate": ITERATE,
    "invalid": INVALID,
    "unregistered": UNREGISTERED,
    "undetermined": UNDETERMINED,
    "many": MANY,
    "segments": SEGMENTS,
    "anytime": ANYTIME,
    "sequential": SEQUENTIAL,
    "hostile": HOSTILE,
}
