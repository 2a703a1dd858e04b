"""Settings from the environment: typed, overridden by what is given, and a typo is answered."""

from pathlib import Path

import pytest

from paribus.errors import InputError
from paribus.settings import from_environment


def test_the_environment_is_read_by_type_and_what_is_given_wins():
    found = from_environment(
        {"PARIBUS_DATA": "/tmp/x", "PARIBUS_PORT": "9000", "PARIBUS_CORS_ORIGINS": "https://a, https://b", "HOME": "/"},
        port=9100,
        host=None,
    )
    assert (found.data, found.port, found.host) == (Path("/tmp/x"), 9100, "127.0.0.1")
    assert found.cors_origins == ("https://a", "https://b")


def test_what_the_client_reads_is_no_mistake_here():
    assert from_environment({"PARIBUS_URL": "http://x", "PARIBUS_KEY": "k", "PARIBUS_CACHE_DIR": "/tmp"}).port == 8400


@pytest.mark.parametrize(
    ("variables", "said"),
    [({"PARIBUS_PROT": "1"}, "did you mean 'PARIBUS_PORT'?"), ({"PARIBUS_PORT": "many"}, "not a whole number")],
)
def test_a_typo_is_answered(variables, said):
    with pytest.raises(InputError) as refused:
        from_environment(variables)
    assert said in str(refused.value)
