"""The arms of an experiment for its readers: what each one is, its share, and how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paribus.workflow.artifact import File
from paribus.workflow.block import Block, Heading, Paragraph, Picture, Table
from paribus.workflow.config import Config
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.launching.configuration import shares
from paribus.workflow.screenshot import drawn

Json = dict[str, Any]


def arms_of(config: Config, document: Mapping[str, Any]) -> tuple[Json, ...]:
    """The arms as facts: name, share of the split, description, file of the screenshot."""
    return tuple(
        {
            "name": name,
            "share": share,
            "description": config.arms[name].description if name in config.arms else "",
            "screenshot": _file(name) if name in config.arms and config.arms[name].screenshot else "",
            "evidence": "config",
        }
        for name, share in shares(document).items()
    )


def screenshots(config: Config) -> tuple[File, ...]:
    """A file for each arm that has a screenshot: an SVG that holds the picture.

    Raises:
        InputError: the configuration was not read from a file, and names one.
    """
    return tuple(
        File(path=_file(name), text=drawn(arm.screenshot, f"The arm {name}", arm.description).svg + "\n")
        for name, arm in config.arms.items()
        if arm.screenshot
    )


def arm_blocks(facts: DesignFacts, files: Sequence[File]) -> list[Block]:
    """What each arm is and how it looks; nothing where nobody said it."""
    if not any(arm["description"] or arm["screenshot"] for arm in facts.arms) and facts.holdout is None:
        return []
    made: list[Block] = [
        Heading("The arms"),
        Table(
            ("arm", "share", "what a unit meets"),
            [(arm["name"], f"{arm['share']:.1%}", arm["description"] or "—") for arm in facts.arms],
            right=("share",),
        ),
    ]
    by_path = {file.path: file.text for file in files}
    for arm in facts.arms:
        text = by_path.get(arm["screenshot"], "")
        if 'href="' in text:
            data_url = text.partition('href="')[2].partition('"')[0]
            figure = drawn(data_url, f"The arm {arm['name']}", arm["description"])
            made.append(Picture(figure, f"{arm['name']}: {arm['description'] or 'screenshot'}", f"arm-{arm['name']}"))
    if facts.holdout is not None and facts.holdout.value:
        made.append(
            Paragraph(
                f"{facts.holdout.value:.3g} of all units are held out of every feature; they get the default of every "
                "flag, do not arrive here, and tell later what all launches brought together."
            )
        )
    return made


def _file(arm: str) -> str:
    return f"arms/{arm}.svg"
