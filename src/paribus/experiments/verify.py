"""Recomputing a result from its one file: first the verdict from the moments, then, where they are, the data.

Level one needs no data: every number, decision and code must follow from the moments by the plan, and every part must
have its hash. A sentence that has it may be worded otherwise by another version, which is noted; a number that stands
in one must be said again somewhere. Level two measures again and answers *reproduced*, *differs*, *data changed* or
*not addressable*.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import paribus
from paribus.errors import EngineError, InputError, MissingExtra, ParibusError, ProofError
from paribus.experiments.canonical import Plain
from paribus.experiments.measurement_text import cell_name, measurement_to_plain
from paribus.experiments.part_hashes import item_name
from paribus.experiments.plain import to_plain
from paribus.experiments.plan import Design, Seal
from paribus.experiments.proof import Proof, edited_parts, edits, read_proof
from paribus.experiments.result import Result
from paribus.experiments.serialize import read_result, result_from_dict, without_secrets
from paribus.metrics.cells import Measurement

TOLERANCE = 1e-9
MOST_LISTED = 50
MOST_SHOWN = 12
_NOTHING_FOLLOWS = "from the proof as it is now no result follows"
_NO_HASHES = "recorded without hashes of its sentences: they are not verified"
_SENTENCES = {"sentence", "detail", "reasons", "notes", "data_notes", "warnings"}
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")

Inference = Literal["verified", "differs"]
DataAnswer = Literal["reproduced", "differs", "data changed", "not addressable"]
Remeasure = Callable[[Proof], Measurement]


class Infer(Protocol):
    """`analysis.infer`: the result that follows from a design and a measurement, and from nothing else."""

    def __call__(
        self,
        design: Design,
        measurement: Measurement,
        *,
        registered: Seal | None,
        as_of: Any,
        deviations: tuple[str, ...],
    ) -> Result: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as recorded: where, what the file says, what was found, and by how much they differ."""

    where: str
    recorded: Any
    found: Any
    by: float | None = None

    def __str__(self) -> str:
        text = f"{self.where}: recorded {_short(self.recorded)}, found {_short(self.found)}"
        return text if self.by is None else f"{text} (differs by {self.by:.3g})"


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer of `paribus verify`. `data` is None when the data were not asked.

    `edits` are sentences about parts of the proof that no longer have their hash; `changed` names changed data.
    """

    inference: Inference
    data: DataAnswer | None
    sentence: str
    edits: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """The answer as lines: the sentence, then what was edited, changed or different, and notes."""
        lines = [self.sentence, *(f"  {each}" for each in (*self.edits[1:], *self.changed[1:]))]
        lines += [f"  {finding}" for finding in self.findings[:MOST_SHOWN]]
        more = len(self.findings) - MOST_SHOWN
        return "\n".join([*lines, *([f"  … and {more} more"] if more > 0 else []), *self.notes])

    @property
    def exit_code(self) -> int:
        """0 reproduced (or verified without data), 1 differs, 3 data changed, 4 not addressable."""
        if self.inference == "differs" or self.data == "differs":
            return 1
        return {"data changed": 3, "not addressable": 4}.get(self.data or "", 0)

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values."""
        return {**to_plain(self), "exit_code": self.exit_code}


def verify(
    result: dict[str, Any] | str | Path, *, remeasure: Remeasure | None = None, infer: Infer | None = None
) -> Verification:
    """Whether a result follows from its own moments, and its moments from the data.

    Args:
        result: what `Result.to_dict()` gave, or the file that holds it.
        remeasure: measures again what a proof describes; None leaves the data unasked. It raises InputError,
            EngineError or MissingExtra when the data cannot be reached.
        infer: `analysis.infer` unless given.

    Raises:
        ProofError: the file is no result, or its proof cannot be read.
    """
    plain = result if isinstance(result, dict) else read_result(result)
    recorded = result_from_dict(plain)
    proof = read_proof(recorded.proof)
    parts = edited_parts(plain)
    edited = (
        *edits(recorded.proof),
        *(f"{part} of the result was edited: it does not have its hash" for part in parts or ()),
    )
    again = _inferred(proof, infer or _analysis_infer(), edited)
    if again is None:
        return Verification("differs", None, f"differs: {edited[0]}", edited, notes=(_NOTHING_FOLLOWS,))
    reworded: list[Finding] = []
    findings = tuple(_result_differences(recorded, plain, again, reworded, parts or ()))
    notes = (*_version_note(proof), *_wording_note(reworded), *(() if parts is not None else (_NO_HASHES,)))
    if edited or findings:
        sentence = f"differs: {edited[0] if edited else findings[0]}"
        return Verification("differs", None, sentence, edited, findings[:MOST_LISTED], (), notes)
    if remeasure is None:
        sentence = (
            "inference verified: verdict and every number but the seconds it took follow from the moments in the file; "
            "data not asked"
        )
        return Verification("verified", None, sentence, notes=notes)
    try:
        measured = remeasure(proof)
    except (InputError, EngineError, MissingExtra) as error:
        reason = without_secrets(str(error))
        sentence = f"inference verified; data not addressable: {reason}"
        return Verification("verified", "not addressable", sentence, notes=notes)
    return replace(_compare_data(proof.measurement, measured), notes=notes)


def _inferred(proof: Proof, infer: Infer, edited: tuple[str, ...]) -> Result | None:
    """What follows from the proof; None when nothing does because it was edited.

    Raises:
        ProofError: nothing follows, and every part has its hash.
    """
    try:
        return infer(
            proof.design,
            proof.measurement,
            registered=proof.seal,
            as_of=proof.as_of,
            deviations=proof.deviations,
        )
    except (ParibusError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        if edited:
            return None
        what = f"nothing can be inferred from the proof: {error!r}"
        raise ProofError(what, where="proof", fix="analyze again with this version of Paribus") from error


def _analysis_infer() -> Infer:
    from paribus.experiments.analysis import infer

    return infer


def _version_note(proof: Proof) -> tuple[str, ...]:
    if proof.code_version == paribus.__version__:
        return ()
    return (f"recorded by Paribus {proof.code_version}, verified by {paribus.__version__}",)


def _wording_note(reworded: list[Finding]) -> tuple[str, ...]:
    if not reworded:
        return ()
    number = f"{len(reworded)} sentences are" if len(reworded) > 1 else "one sentence is"
    return (f"{number} worded otherwise, with the same numbers and decisions: {reworded[0]}",)


def _result_differences(
    recorded: Result, plain: Plain, again: Result, reworded: list[Finding], edited: tuple[str, ...]
) -> Iterator[Finding]:
    """Every number, code and decision that the moments do not give again; sentences of other words go to `reworded`.

    A sentence in a part of the result that was edited is not only worded otherwise.
    """
    unlike = {"proof", "seconds"}  # the proof is the input; the seconds are the weather
    old, new = (without_secrets(to_plain(replace(r, proof={}))) for r in (recorded, again))
    said = {number for text in _sentences(new, told=False) for number in _NUMBER.findall(text)}
    for name, value in old.items():
        if name in unlike:
            continue
        for finding in _differences(_as_written(value, plain.get(name)), new[name], name):
            if _is_wording(finding, said) and not any(finding.where.startswith(part) for part in edited):
                reworded.append(finding)
            else:
                yield finding


def _as_written(value: Any, plain: Any) -> Any:
    """The value with the sentences of undetermined quantities as the file has them; its code alone is read back."""
    if isinstance(value, dict) and isinstance(plain, dict):
        kept = {"sentence": plain["sentence"]} if "undetermined" in plain and "sentence" in plain else {}
        return {**{key: _as_written(item, plain.get(key)) for key, item in value.items()}, **kept}
    if isinstance(value, list) and isinstance(plain, list) and len(value) == len(plain):
        return [_as_written(item, written) for item, written in zip(value, plain, strict=True)]
    return value


def _is_wording(finding: Finding, said: set[str]) -> bool:
    """Whether only words of a sentence changed: each number that it held stands in a sentence that was made again."""
    place = finding.where.rsplit(".", 1)[-1].partition("[")[0]
    told = [*_sentences(finding.recorded, told=True), *_sentences(finding.found, told=True)]
    if place not in _SENTENCES or not told or not _all_text(finding.recorded) or not _all_text(finding.found):
        return False
    return all(number in said for text in _sentences(finding.recorded, told=True) for number in _NUMBER.findall(text))


def _all_text(value: Any) -> bool:
    return value is None or isinstance(value, str) or (isinstance(value, list) and all(map(_all_text, value)))


def _sentences(value: Any, *, told: bool) -> Iterator[str]:
    """Every text of a value that is a sentence; `told`: the value is one itself."""
    if isinstance(value, str) and told:
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _sentences(item, told=key in _SENTENCES)
    elif isinstance(value, list):
        for item in value:
            yield from _sentences(item, told=told)


def _differences(old: Any, new: Any, where: str) -> Iterator[Finding]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key), new.get(key), f"{where}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(a, b, f"{where}[{item_name(a, i)}]")
    elif not _same(old, new):
        numbers = _is_number(old) and _is_number(new)
        yield Finding(where, old, new, abs(float(new) - float(old)) if numbers else None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(old: Any, new: Any) -> bool:
    if _is_number(old) and _is_number(new):
        return math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=1e-12)
    return type(old) is type(new) and bool(old == new)


def _compare_data(recorded: Measurement, measured: Measurement) -> Verification:
    old, new = (measurement_to_plain(m) for m in (recorded, measured))
    changed = tuple(_changed_files(recorded.fingerprint, measured.fingerprint))
    findings = tuple(_measurement_differences(old, new))
    if changed:
        effect = f"; {findings[0]}" if findings else "; the moments are the same"
        sentence = f"inference verified; data changed: {changed[0]}{effect}"
        return Verification("verified", "data changed", sentence, (), findings[:MOST_LISTED], changed)
    if findings:
        sentence = f"inference verified; measuring again differs: {findings[0]}"
        return Verification("verified", "differs", sentence, (), findings[:MOST_LISTED])
    return Verification("verified", "reproduced", "reproduced: the same moments from the same data, the same verdict")


def _measurement_differences(old: Plain, new: Plain) -> Iterator[Finding]:
    yield from _differences(old["counts"], new["counts"], "counts")
    for name in [*old["cells"], *(name for name in new["cells"] if name not in old["cells"])]:
        before, after = (
            {cell_name(cell["key"]): cell for cell in side["cells"].get(name, {"cells": []})["cells"]}
            for side in (old, new)
        )
        for key in [*before, *(key for key in after if key not in before)]:
            where = f"moments of {name!r} ({key})"
            if key not in before or key not in after:
                there = "absent", "present"
                yield Finding(where, *(there if key not in before else there[::-1]))
            else:
                yield from _cell_differences(before[key], after[key], where)
    for part in ("caps", "clusters", "ranks"):
        yield from _differences(old[part], new[part], part)


def _cell_differences(old: Plain, new: Plain, where: str) -> Iterator[Finding]:
    """Moments compared on the scale that each has: a mean by the spread of its values, a product by both spreads."""
    yield from _differences(old["n"], new["n"], f"{where}.n")
    if len(old["mean"]) != len(new["mean"]):
        yield Finding(f"{where}.variables", len(old["mean"]), len(new["mean"]))
        return
    n, k = float(old["n"]), len(old["mean"])
    pairs = [(i, j) for i in range(k) for j in range(i, k)]
    squares = [float(old["m2"][pairs.index((i, i))]) for i in range(k)]
    spread = [math.sqrt(s / n) if n and s >= 0 else 0.0 for s in squares]
    scales: dict[str, list[float]] = {
        "mean": [abs(float(m)) + s for m, s in zip(old["mean"], spread, strict=True)],
        "m2": [math.sqrt(abs(squares[i] * squares[j])) for i, j in pairs],
        "m3": [n * s**3 for s in spread],
    }
    for part, scale in scales.items():
        for i, (a, b) in enumerate(zip(old[part], new[part], strict=True)):
            x, y = float(a), float(b)
            if not (math.isnan(x) and math.isnan(y)) and not abs(x - y) <= TOLERANCE * (scale[i] + abs(x)):
                yield Finding(f"{where}.{part}[{i}]", a, b, abs(x - y))
    for part in ("capped", "immature"):
        yield from _differences(old.get(part), new.get(part), f"{where}.{part}")
    if "uncapped" in old and "uncapped" in new:
        yield from _cell_differences(old["uncapped"], new["uncapped"], f"{where}.uncapped")


def _changed_files(recorded: dict[str, Any], measured: dict[str, Any]) -> Iterator[str]:
    """A sentence for every file (or table version) that is not as it was."""
    before, after = _versions(recorded), _versions(measured)
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            yield f"{name} is gone"
        elif not _is_same_version(old, new):
            yield f"{name} changed: {_version_words(old)}, now {_version_words(new)}"
    for name in after:
        if name not in before:
            yield f"{name} is new"


def _versions(fingerprint: dict[str, Any]) -> dict[str, Plain]:
    """What the fingerprint says of each file or table, by its path or name."""
    found: dict[str, Plain] = {}
    for relation, value in fingerprint.items():
        if isinstance(value, dict) and isinstance(value.get("files"), list):
            if "version" in value:
                found[str(relation)] = {"version": value["version"]}
            found |= {str(one["path"]): one for one in value["files"]}
        elif isinstance(value, dict) and ("sha256" in value or "version" in value):
            found[str(relation)] = value
    return found


def _is_same_version(old: Plain, new: Plain) -> bool:
    """Equal by hash; by size and time where a large file has none."""
    if old.get("sha256") and new.get("sha256"):
        return bool(old["sha256"] == new["sha256"])
    return all(old.get(part) == new.get(part) for part in ("size", "modified", "version"))


def _version_words(version: Plain) -> str:
    parts = []
    if version.get("version") is not None:
        parts.append(f"version {version['version']}")
    if version.get("size") is not None:
        parts.append(f"{version['size']:,} bytes")
    if version.get("modified"):
        parts.append(str(version["modified"]))
    if version.get("sha256"):
        parts.append(f"SHA-256 {str(version['sha256'])[:12]}…")
    return ", ".join(parts)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
