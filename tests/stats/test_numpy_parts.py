import subprocess
import sys

ASKED = """
import sys
import paribus.stats.estimate
import scipy.special, scipy.stats
assert "numpy.testing._private.utils" not in sys.modules and "numpy.f2py.crackfortran" not in sys.modules
import numpy as np, numpy.testing
np.testing.assert_array_equal(np.polynomial.Polynomial([1, 2])(3), 7)
from numpy.f2py import crackfortran
from numpy.polynomial import legendre
assert legendre.leggauss(2)[1].sum() == 2 and crackfortran.__name__ == "numpy.f2py.crackfortran"
"""


def test_what_scipy_does_not_use_is_loaded_when_somebody_uses_it():
    found = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_what_is_loaded_already_stays():
    asked = (
        "import numpy.testing as t, numpy, paribus.stats; assert numpy.testing is t and t.assert_equal(1, 1) is None"
    )
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
