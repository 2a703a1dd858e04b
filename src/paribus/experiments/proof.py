"""The proof inside a result: what verdict and numbers follow from, with hashes that name an edit.

It holds the design, where the data were, the seal, and every moment that left the warehouse; `verify` infers the result
from it again. A hash in the same file stops no forger who recomputes it: it names accidents and careless edits. What
stops a forger is that the numbers must follow from the moments, the plan must have the sealed hash, and the moments
must come out of the data again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import paribus
from paribus.errors import ProofError
from paribus.experiments.canonical import (
    Plain,
    design_of,
    differences,
    plan_body,
    sha256,
    with_caps_as_numbers,
)
from paribus.experiments.measurement_text import cell_hash, cell_name, measurement_from_plain, measurement_to_plain
from paribus.experiments.part_hashes import cluster_rows, part_hashes, unlike_parts
from paribus.experiments.plain import from_plain, to_plain
from paribus.experiments.plan import Design, Seal
from paribus.experiments.result import Result
from paribus.experiments.serialize import result_to_dict, without_secrets
from paribus.metrics.cells import Measurement
from paribus.metrics.definition import DataModel

FORMAT = 1
# Without these no proof can be read.
_PARTS = ("design", "data", "plan_hash", "seal", "as_of", "deviations", "measurement", "hashes", "code_version")
_MEASURED = ("counts", "clusters", "ranks", "statements", "shifts", "caps", "as_of", "fingerprint", "warnings", "lake")
# How far down the hashes of parts go, which name what was edited.
_PROOF_LEVELS = 5
_RESULT_LEVELS = 2


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof read back: everything that `infer` takes, and where the data were.

    folder      where relative file names started, as it was written
    source_url  the engine's URL as written, with its ${NAME}s and without a password; None for files
    """

    design: Design
    data: DataModel | None
    seal: Seal | None
    as_of: datetime | None
    deviations: tuple[str, ...]
    measurement: Measurement
    code_version: str
    seed: int | None
    source_url: str | None = None
    folder: str | None = None


def build_proof(
    design: Design,
    measurement: Measurement,
    *,
    registered: Seal | None = None,
    as_of: datetime | None = None,
    deviations: tuple[str, ...] = (),
    data: DataModel | None = None,
    source_url: str | None = None,
    folder: str | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """The proof of an analysis, as plain values for `Result.proof`.

    Args:
        design: what was analyzed.
        measurement: all that left the warehouse.
        registered: the seal, when there is one.
        as_of: the time the data were read up to.
        deviations: what differs from the sealed plan.
        data: where the data were, so that they can be measured again.
        source_url: the engine's URL as written; a password in it is left out.
        folder: the folder that relative file names start from, as written.
        seed: of whatever was drawn.
    """
    # Cells hold numbers and levels of columns; only the other parts can carry a connection's password.
    measured = {k: v if k == "cells" else without_secrets(v) for k, v in measurement_to_plain(measurement).items()}
    plain = {
        "format": FORMAT,
        "code_version": paribus.__version__,
        "seed": seed,
        "design": to_plain(design),
        "data": to_plain(data),
        "source_url": without_secrets(source_url),
        "folder": folder,
        "plan_hash": sha256(plan_body(design, data)),
        "seal": to_plain(registered),
        "as_of": to_plain(as_of),
        "deviations": list(deviations),
        "measurement": measured,
    }
    return {**plain, "hashes": {**_hashes(measured), "parts": part_hashes(_named(plain), _PROOF_LEVELS)}}


def with_proof(result: Result, proof: Plain, *, seconds: float | None = None) -> Result:
    """The result with its proof, which then also has a hash of every part of the result, sentences among them.

    The seconds have none: the same data give the same proof.
    """
    done = replace(result, seconds=seconds)
    hashes = {**proof["hashes"], "result": part_hashes(_said(result_to_dict(done)), _RESULT_LEVELS)}
    return replace(done, proof={**proof, "hashes": hashes})


def read_proof(plain: dict[str, Any]) -> Proof:
    """The proof inside a result, as `build_proof` wrote it.

    Raises:
        ProofError: a part is missing or unreadable; `where` is its path.
    """
    if not plain:
        raise ProofError("the result holds no proof", where="proof", fix="analyze again with this version of Paribus")
    missing = [name for name in _PARTS if name not in plain]
    if missing or plain.get("format") != FORMAT:
        what = f"the proof lacks {', '.join(missing)}" if missing else f"the proof has format {plain.get('format')!r}"
        raise ProofError(what, where="proof", rule=f"this version reads format {FORMAT}")
    return Proof(
        design=from_plain(Design, plain["design"], "proof.design"),
        data=from_plain(DataModel | None, plain["data"], "proof.data"),
        seal=from_plain(Seal | None, plain["seal"], "proof.seal"),
        as_of=from_plain(datetime | None, plain["as_of"], "proof.as_of"),
        deviations=from_plain(tuple[str, ...], plain["deviations"], "proof.deviations"),
        measurement=measurement_from_plain(plain["measurement"]),
        code_version=str(plain["code_version"]),
        seed=plain.get("seed"),
        source_url=plain.get("source_url"),
        folder=plain.get("folder"),
    )


def edits(plain: dict[str, Any]) -> Iterator[str]:
    """A sentence for every part of the proof that no longer has its hash: which cell, which field."""
    yield from _edited_design(plain)
    measured, recorded = plain["measurement"], plain["hashes"]
    now = _hashes(measured)
    for name, cells in measured["cells"].items():
        edited = list(_edited_cells(cells, repr(name)))
        yield from edited
        if not edited and now["cells"].get(name) != recorded["cells"].get(name):
            yield f"the cells of {name!r} were edited: one was added, removed or moved, or their variables"
    for name in recorded["cells"]:
        if name not in measured["cells"]:
            yield f"the moments of {name!r} were removed"
    for part in ("windows", "cutoffs"):
        for name, by_label in measured.get(part, {}).items():
            for label, cells in by_label.items():
                yield from _edited_cells(cells, f"{name!r} in {part} {label}")
    for part in now:
        if part != "cells" and now[part] != recorded.get(part):
            yield f"the {part} of the proof were edited"
    if "parts" in recorded:
        for path in unlike_parts(recorded["parts"], _named(plain), _PROOF_LEVELS, ""):
            yield f"{path} of the proof was edited: it does not have its hash"
    elif "result" in recorded:
        yield "the hashes of the proof's parts were removed"


def edited_parts(plain: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The parts of a plain result, sentences among them, without their recorded hash; None where none was recorded."""
    recorded = plain["proof"].get("hashes", {}).get("result")
    return None if recorded is None else tuple(unlike_parts(recorded, _said(plain), _RESULT_LEVELS, ""))


def _said(plain: Mapping[str, Any]) -> Plain:
    """A plain result without its proof, which has hashes of its own, and the seconds it took."""
    return {name: value for name, value in plain.items() if name not in ("proof", "seconds")}


def _named(plain: Plain) -> Plain:
    """The proof in the parts that have a hash each, for naming an edit; cells have hashes of their own."""
    measured = plain["measurement"]
    held = {part: measured[part] for part in _MEASURED if part in measured}
    held["clusters"] = cluster_rows(measured["clusters"])
    held["cells"] = {name: {k: v for k, v in one.items() if k != "cells"} for name, one in measured["cells"].items()}
    rest = {name: value for name, value in plain.items() if name not in ("measurement", "hashes")}
    return {**rest, "measurement": held}


def _edited_cells(cells: Plain, name: str) -> Iterator[str]:
    for cell in cells["cells"]:
        if cell.get("sha256") != cell_hash(cell):
            yield f"the moments of {name} in the cell ({cell_name(cell['key'])}) were edited"


def _edited_design(plain: Plain) -> Iterator[str]:
    proof = read_proof(plain)
    body = plan_body(proof.design, proof.data)
    if sha256(body) != plain["plan_hash"]:
        yield from _edited_plan(body, proof.seal)
    elif proof.seal is not None and proof.seal.hash != sha256(proof.seal.registered):
        yield "the sealed plan inside the proof was edited: it does not have its hash"
    elif proof.seal is not None:
        yield from _unlike_seal(proof.design, proof.seal, proof.deviations)


def _edited_plan(body: Plain, seal: Seal | None) -> Iterator[str]:
    """Names the edited fields by the sealed copy where there is one."""
    named = []
    if seal is not None and seal.hash == sha256(seal.registered):
        now = body if "data" in seal.registered else {key: value for key, value in body.items() if key != "data"}
        named = [path for path, _, _ in differences(seal.registered, now)]
    yield "the plan in the proof was edited: it does not have its hash" + (
        f"; it differs from the seal in {', '.join(named)}" if named else ""
    )


def _unlike_seal(design: Design, seal: Seal, deviations: tuple[str, ...]) -> Iterator[str]:
    """Fields in which the analyzed design is not the sealed one, when no listed deviation names them."""
    sealed, analyzed = (plan_body(with_caps_as_numbers(d)) for d in (design_of(seal.registered), design))
    for path, then, now in differences(sealed, analyzed):
        # Segments only explain: asking for others changes no verdict.
        if not path.startswith("segments") and not any(sentence.startswith(path) for sentence in deviations):
            yield f"the analyzed design is not the sealed one, and no deviation says so: {path} is {now}, sealed {then}"


def _hashes(measured: Plain) -> Plain:
    """The hash of every part of a plain measurement; of a metric's cells, over the cells' own hashes in order."""
    cells = {
        name: sha256([{k: v for k, v in one.items() if k != "cells"}, [cell.get("sha256") for cell in one["cells"]]])
        for name, one in measured["cells"].items()
    }
    return {"cells": cells, **{part: sha256(value) for part, value in measured.items() if part != "cells"}}
