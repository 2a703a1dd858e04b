import subprocess
import sys
from pathlib import Path

import pytest

import paribus.stats as stats

ROOM = Path(stats.__file__).parent


@pytest.mark.parametrize("name", sorted(stats._EXPORTS))
def test_every_public_name_is_found_in_its_module(name):
    assert getattr(stats, name) is not None


def test_no_public_name_is_shadowed_by_a_module():
    modules = {path.stem for path in ROOM.glob("*.py")}
    assert not modules & set(stats._EXPORTS)


def test_importing_loads_numpy_and_nothing_heavier():
    program = "import sys, paribus.stats as s; s.difference, s.cuped; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not {"scipy", "pandas", "pydantic", "duckdb", "statsmodels"} & set(loaded)


def test_a_misspelled_name_is_suggested():
    with pytest.raises(AttributeError, match="did you mean 'difference'"):
        stats.diference  # noqa: B018
