"""Prints the answers of one oracle file as a JSON object: python -m tests.oracles FILE."""

from __future__ import annotations

import json
import sys

from tests.oracles import answers


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tests.oracles FILE", file=sys.stderr)
        return 2
    print(json.dumps(answers(arguments[0]), indent=1, allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
