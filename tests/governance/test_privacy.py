"""Classes told from names, and what masked views show."""

from __future__ import annotations

import hashlib

import duckdb
import pytest

from paribus.governance.privacy import classify, masked_select


@pytest.mark.parametrize(
    ("name", "personal"),
    [
        ("email", "personal"), ("billing_email", "personal"), ("firstName", "personal"), ("ip", "personal"),
        ("date_of_birth", "personal"), ("user_id", "pseudonymous"), ("deviceId", "pseudonymous"),
        ("session_id", "pseudonymous"), ("diagnosis", "sensitive"), ("card_number", "sensitive"), ("revenue", "none"),
        ("page", "none"), ("shipping_method", "none"), ("items", "none"), ("product", "none"),
    ],
)  # fmt: skip
def test_a_name_suggests_a_class(name: str, personal: str) -> None:
    assert classify(name) == personal


def test_a_masked_view_shows_each_class_as_it_may_be_seen() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT 'u1' AS unit, 'a@b.c' AS email, 'flu' AS diagnosis, 9.5 AS revenue")
    connection.execute("INSERT INTO t VALUES ('u1', NULL, NULL, 1.0), ('u2', 'x', 'x', NULL)")
    select = masked_select(
        "t", {"unit": "pseudonymous", "email": "personal", "diagnosis": "sensitive", "revenue": "none"}
    )
    connection.execute(f"CREATE VIEW masked AS {select}")
    connection.execute("SET VARIABLE paribus_pepper = 'p'")
    rows = connection.execute("SELECT * FROM masked").fetchall()
    key = hashlib.sha256(b"p:u1").hexdigest()
    assert rows[0] == (key, "***", None, pytest.approx(9.5))
    assert rows[1][:3] == (key, None, None)
    assert rows[2][0] not in (key, "u2")
    connection.execute("SET VARIABLE paribus_pepper = 'other'")
    assert connection.execute("SELECT unit FROM masked").fetchall()[0][0] != key
    connection.close()


def test_without_the_key_no_hash_can_be_made_of_a_person() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT 'u1' AS unit")
    shown = connection.execute(masked_select("t", {"unit": "pseudonymous"})).fetchall()[0][0]
    assert shown is None
    connection.close()
