"""Sizes by other conventions in words."""

from __future__ import annotations

import textwrap

from paribus.charts import numbers
from paribus.experiments.other_sizes import OtherSizes
from paribus.experiments.sizing_text import WIDTH, fitting, percent

WIDTHS = (28, 10, 12, 8, 11, 11)


def text(found: OtherSizes) -> str:
    """A table of the sizes, what each supposes, and the way to the plan's own."""
    head = (
        f"By other calculators: {found.metric} alone, two arms, {percent(found.confidence_level)} confidence, "
        f"{percent(found.power)} power"
    )
    lines = textwrap.wrap(head, WIDTH)
    if found.sizes:
        titles = ("", "per arm" if found.is_even else "treatment", "both arms", "differs", "if effect", "if none")
        rule = "─" * sum(WIDTHS)
        lines += ["", _line(titles), rule]
        for each in found.sizes:
            lines.append(
                _line(
                    (
                        ("▸ " if each.is_own else "  ") + each.name,
                        fitting(each.per_arm, WIDTHS[1]),
                        fitting(each.total, WIDTHS[2]),
                        "" if each.is_own else _change(each.change),
                        fitting(each.expected_h1, WIDTHS[4]),
                        fitting(each.expected_h0, WIDTHS[5]),
                    )
                )
            )
        lines += [rule, *textwrap.wrap(
            "▸ is what Paribus takes for one reading at the end. At most, and expected when the effect is as planned "
            "or absent. They differ by what they suppose:",
            WIDTH,
        )]  # fmt: skip
        lines += [line for each in found.sizes for line in _hanging(f"· {each.name}: {each.why}")]
    lines += [line for reason in found.left_out for line in _hanging(f"· {reason}")]
    if len({step.units for step in found.steps}) > 1:
        lines += ["", "From there to this plan:"]
        lines += [f"  {step.words:<{WIDTH - 14}}{numbers.count(step.units):>12}" for step in found.steps]
    return "\n".join(line.rstrip() for line in lines)


def _line(cells: tuple[str, ...]) -> str:
    return cells[0].ljust(WIDTHS[0]) + "".join(c.rjust(w) for c, w in zip(cells[1:], WIDTHS[1:], strict=True))


def _change(change: float) -> str:
    return f"{change:+.1%}" if abs(change) >= 0.0005 else "0.0%"


def _hanging(said: str) -> list[str]:
    return textwrap.wrap(said, WIDTH, subsequent_indent="  ")
