"""The dossier as a folder for git and as one page: documents that can be read without Paribus."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from paribus.errors import InputError
from paribus.workflow import markdown
from paribus.workflow import page as html
from paribus.workflow.artifact import Artifact
from paribus.workflow.block import Block, Heading, Listing, Paragraph
from paribus.workflow.dossier import Dossier, StepState
from paribus.workflow.scorecard import Scorecard, scorecard
from paribus.workflow.standing import standing
from paribus.workflow.step import BY_SLUG, PHASES


def page(dossier: Dossier, key: str) -> str:
    """The whole dossier as one HTML page."""
    feature, _ = dossier.feature(key)
    artifacts = dossier.artifacts(key)
    blocks = {slug: (*_blocks(artifact), *people(dossier, key, slug)) for slug, artifact in artifacts.items()}
    return html.render(feature, dossier.states(key), artifacts, blocks, scorecard(artifacts))


def export(dossier: Dossier, key: str, folder: Path) -> Path:
    """Writes README.md, a Markdown and a JSON file per step, generated files and index.html; the page's path.

    The same dossier gives the same bytes, so that git shows what changed. Files of an earlier export are replaced.

    Raises:
        InputError: the folder holds something else.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "dossier.json").exists():
        raise InputError(
            f"{folder} holds other files",
            where="folder",
            rule="a dossier is exported into a folder of its own",
            fix=f"name a new one: {folder}/{key}",
        )
    folder.mkdir(parents=True, exist_ok=True)
    feature, config = dossier.feature(key)
    artifacts, states = dossier.artifacts(key), dossier.states(key)
    card = scorecard(artifacts)
    written = {
        "dossier.json": json.dumps(
            {
                "format": 1,
                "feature": key,
                "requirement": feature.requirement,
                "source": feature.source,
                "environment": feature.environment,
                "simulated": feature.simulated,
                "config": config.model_dump(mode="json"),
                "steps": {state.step.slug: {"state": state.state.value, "hash": state.hash} for state in states},
                "scorecard": card.to_dict(),
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n",
        "README.md": _front(feature.requirement, states, artifacts, card),
        "index.html": page(dossier, key),
    }
    for slug, artifact in artifacts.items():
        stem = f"{BY_SLUG[slug].number:02d}-{slug}"
        text, drawings = markdown.markdown((*_blocks(artifact), *people(dossier, key, slug)), prefix=stem)
        written |= drawings
        written[f"{stem}.md"] = _document(artifact, text)
        written[f"{stem}.json"] = _json(artifact.body())
        for file in artifact.files:
            written[f"{slug}/{_inside(file.path)}"] = file.text
    for name, text in written.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "index.html"


def people(dossier: Dossier, key: str, slug: str) -> tuple[Block, ...]:
    """What people said about a step, and whose it is; nothing where nobody said or was named anything."""
    said = [
        f"{each['author']}, {each['time'][:16].replace('T', ' ')} UTC"
        + ("" if each["current"] else ", about an earlier artifact")
        + f": {each['text']}"
        for each in dossier.comments(key, slug)
    ]
    whose = dossier.assignee(key, slug)
    found: list[Block] = [Heading("People")] if said or whose else []
    if whose:
        found.append(Paragraph(f"This step is {whose}'s."))
    return (*found, Listing(said)) if said else tuple(found)


def _json(value: Any) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def step_text(artifact: Artifact) -> str:
    """One step as Markdown, its pictures left to the page."""
    text, _ = markdown.markdown(_blocks(artifact), prefix=artifact.step)
    return _document(artifact, text)


def _document(artifact: Artifact, text: str) -> str:
    return _header(artifact) + text + _assumptions(artifact) + _files(artifact) + _evidence(artifact)


def _blocks(artifact: Artifact) -> Sequence[Block]:
    return () if artifact.not_applicable else BY_SLUG[artifact.step].present(artifact)


def _header(artifact: Artifact) -> str:
    step = BY_SLUG[artifact.step]
    lines = [
        f"# {step.number} {step.title}: {step.artifact}",
        "",
        f"> {artifact.requirement}",
        "",
        f"{artifact.role}, version {artifact.role_version}" + (" · **simulated data**" if artifact.simulated else ""),
        "",
        f"*{step.question}*",
        "",
        artifact.summary,
        "",
    ]
    if artifact.not_applicable and artifact.not_applicable != artifact.summary:
        lines += [f"Not applicable: {artifact.not_applicable}", ""]
    if artifact.checks:
        status = {"not_applicable": "does not apply"}
        lines += [f"- {status.get(each.status, each.status)}: {each.name}: {each.message}" for each in artifact.checks]
        lines.append("")
    return "\n".join(lines) + "\n"


def _assumptions(artifact: Artifact) -> str:
    if not artifact.assumptions:
        return ""
    return "\n## Assumptions\n\n" + "".join(f"- {text}\n" for text in artifact.assumptions)


def _files(artifact: Artifact) -> str:
    """Links to the generated files, which stand in a folder of the step's name."""
    if not artifact.files:
        return ""
    links = (f"- [{file.path}]({artifact.step}/{file.path})\n" for file in artifact.files)
    return "\n## Generated files\n\n" + "".join(links)


def _evidence(artifact: Artifact) -> str:
    if not artifact.evidence:
        return ""
    number = BY_SLUG[artifact.step].number
    lines = ["", "## Evidence", "", f"Statements and hashes whole: `{number:02d}-{artifact.step}.json`.", ""]
    for name, evidence in artifact.evidence.items():
        data = f" ({evidence.data})" if evidence.data else ""
        lines.append(f"- `{name}` · {evidence.kind}: {evidence.title}{data}")
    return "\n".join(lines) + "\n"


def _front(requirement: str, states: Sequence[StepState], artifacts: dict[str, Artifact], card: Scorecard) -> str:
    lines = [f"# {requirement}", ""]
    if found := standing(states, artifacts):
        lines += [f"**{found.headline}**", "", found.said, ""]
    lines += ["## Scorecard", ""]
    lines += [f"- **{each.title}**: {each.status}. {each.sentence}" for each in card.criteria]
    for number, name in enumerate(PHASES, start=1):
        lines += ["", f"## Phase {number}: {name}", ""]
        for state in states:
            if state.step.phase != number:
                continue
            link = f"[{state.step.title}]({state.step.number:02d}-{state.step.slug}.md)"
            artifact = artifacts.get(state.step.slug)
            said = artifact.summary if artifact else "not made yet"
            lines.append(f"{state.step.number}. {link} ({state.state.value}): {said}")
    return "\n".join(lines) + "\n"


def _inside(path: str) -> str:
    """A generated file's path, which must stay inside its folder."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise InputError(
            f"{path!r} leads out of the dossier", where="file", rule="generated files stay in their folder"
        )
    return str(pure)
