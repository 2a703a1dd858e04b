"""Parts of numpy that scipy names when it is imported and does not use: they are loaded when somebody else uses them.

`scipy.special` runs `from numpy import *`, which imports even numpy's compiler wrappers and test tools. Without them
the imports of an analysis take about .3 s of CPU less, out of 2, where Python keeps no bytecode.
"""

from __future__ import annotations

import importlib.util
import sys

import numpy as np

PARTS = ("f2py", "polynomial", "testing")


def load_when_used() -> None:
    """Puts a module that loads itself at its first use (`importlib.util.LazyLoader`) where a part is not loaded yet."""
    for part in PARTS:
        name = f"numpy.{part}"
        spec = None if name in sys.modules else importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            continue
        loader = importlib.util.LazyLoader(spec.loader)
        spec.loader = loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        loader.exec_module(module)
        setattr(np, part, module)
