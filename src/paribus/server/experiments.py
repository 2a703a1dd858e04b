"""An experiment's result, on the events that are in the lake now."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from paribus.server.caller import EventReader, Key, LiveHere, problems

router = APIRouter(prefix="/experiments/{key}", tags=["experiments"])


class Analysis(BaseModel):
    """What to leave out or look at."""

    model_config = ConfigDict(extra="forbid")

    as_of: str | None = Field(default=None, max_length=40, description="Only what was known at this time (RFC 3339).")


@router.post("/analyze", responses=problems(404, 409))
def analyze(key: Key, request: Analysis, live: LiveHere, caller: EventReader) -> dict[str, Any]:
    """Verdict, effects and health, the same as `paribus analyze` writes."""
    return live.analyze(caller.project, key, request.model_dump(exclude_none=True))
