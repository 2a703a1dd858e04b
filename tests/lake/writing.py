"""The process that writes the lake of `beside.py`'s tests: `python -m tests.lake.writing …`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.lake.sending import HandClock, decode

from paribus.lake.beside import Rooms, WriterBeside


def main(arguments: Sequence[str]) -> None:
    beside = WriterBeside(arguments)
    folder, flush_seconds = beside.setup
    said = Path(folder) / "said"

    def note(word: str) -> None:
        with said.open("a") as file:
            file.write(word + "\n")

    rooms = Rooms(
        decode,
        erase_also=[lambda ids: note(f"erase {' '.join(ids)}")],
        start=lambda: note("start"),
        stop=lambda: note("stop"),
        gauges=lambda: {"listeners": 2.0},
    )
    beside.run(Path(folder), rooms, clock=HandClock(), flush_seconds=flush_seconds, max_events=1_000)


if __name__ == "__main__":
    main(sys.argv[1:])
