"""Runs a module at another time: `python -m paribus.workflow.validation.shifted SECONDS MODULE`.

A simulated installation has a simulated clock; the service that is crawled in it must live in the same time, or its
events would come from another year. Nothing else is changed.
"""

from __future__ import annotations

import runpy
import sys
import time


def main(offset: float, module: str) -> None:
    """The module, its `time.time()` moved by `offset` seconds."""
    real = time.time
    time.time = lambda: real() + offset
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2])
