"""A table of results becomes a commented experiment file that loads back as what was inferred."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paribus.errors import InputError
from paribus.experiments import init
from paribus.experiments.document import load
from paribus.experiments.init import Draft
from paribus.metrics.definition import Covariate, MetricType
from paribus.warehouse import open_engine


def drafted(folder: Path, header: str, rows: list[str], name: str = "results.csv") -> Draft:
    (folder / name).write_text(header + "\n" + "\n".join(rows) + "\n")
    engine = open_engine(None, base_dir=folder)
    try:
        return init.draft(engine, name)
    finally:
        engine.close()


def shop(n: int = 400, odd: int = 2) -> list[str]:
    rng = np.random.default_rng(7)
    arms = np.where(np.arange(n) % odd == 0, "control", "treatment")
    countries = rng.choice(["DE", "FR", "US"], n)
    pages = np.where(arms == "control", "old_page", "new_page")
    return [
        f"{1000 + i},{arms[i]},2026-01-{1 + i % 9:02d} 10:00:00,{rng.integers(0, 2)},{rng.normal(20, 5):.2f},"
        f"{rng.normal(18, 5):.2f},{rng.gamma(2, 100):.1f},{countries[i]},{pages[i]},1"
        for i in range(n)
    ]


HEADER = "user_id,group,first_seen,converted,revenue,pre_revenue,latency_ms,country,landing_page,version_no"


def test_every_column_of_a_shop_is_given_its_part(tmp_path: Path) -> None:
    result = drafted(tmp_path, HEADER, shop())
    design, units = result.document.design, result.document.data.units
    assert units is not None
    assert (units.relation, units.unit, units.variant, units.exposed_at) == (
        "results.csv",
        "user_id",
        "group",
        "first_seen",
    )
    assert [(m.name, m.type, m.direction) for m in design.metrics] == [
        ("converted", MetricType.PROPORTION, "increase"),
        ("revenue", MetricType.MEAN, "increase"),
        ("latency_ms", MetricType.MEAN, "decrease"),
    ]
    assert design.metrics[1].covariates == (Covariate(value="pre_revenue"),)
    assert design.segments == ("country",), "the landing page goes with the variant"
    assert (design.control, design.split_declared) == ("control", True)
    unsure = "\n".join(result.unsure)
    assert "landing_page" in unsure
    assert "less is taken to be better for latency_ms" in unsure
    assert "left out, constant or empty: version_no" in unsure


def test_the_file_loads_back_without_change_and_is_not_overwritten(tmp_path: Path) -> None:
    result = drafted(tmp_path, HEADER, shop())
    path = init.write(result, tmp_path / "experiment.yaml")
    assert load(path).design == result.document.design
    assert load(path).data == result.document.data
    assert all(f"#   - {sentence}" in path.read_text() for sentence in result.unsure)
    path.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        init.write(result, path)
    assert path.read_text() == "mine"
    init.write(result, path, force=True)
    assert load(path).design.key == "results"
    with pytest.raises(InputError, match="cannot be written"):
        init.write(result, tmp_path / "no" / "experiment.yaml")


def test_an_uneven_split_is_not_taken_for_the_plan(tmp_path: Path) -> None:
    result = drafted(tmp_path, HEADER, shop(odd=4))
    assert not result.document.design.split_declared
    assert any("do not fit an equal split" in sentence for sentence in result.unsure)


def test_strange_names_and_values_are_quoted(tmp_path: Path) -> None:
    rows = [f"{i},{'off' if i % 2 else 'on'},{i % 7},{'no' if i % 3 else 'yes'}" for i in range(60)]
    result = drafted(tmp_path, "User ID,ab_group,order,Is new?", rows, "my results: 1.csv")
    units = result.document.data.units
    assert units is not None
    assert (units.relation, units.unit) == ("my results: 1.csv", "User ID")
    assert [v.name for v in result.document.design.variants] == ["off", "on"]
    assert result.document.design.metrics[0].value == '"order"', "a word that SQL keeps is quoted"
    assert load(init.write(result, tmp_path / "e.yaml")).design == result.document.design


def test_zero_and_one_as_arms(tmp_path: Path) -> None:
    rows = [f"{i},{i % 2},{i % 5}" for i in range(100)]
    result = drafted(tmp_path, "id,treat,re78", rows)
    design = result.document.design
    assert ([v.name for v in design.variants], design.control) == (["0", "1"], "0")
    assert [m.name for m in design.metrics] == ["re78"]


def test_repeated_units_and_doubtful_guesses_are_said(tmp_path: Path) -> None:
    rows = [f"{i % 40},{'x' if i % 2 else 'y'},{i % 5}" for i in range(80)]
    unsure = "\n".join(drafted(tmp_path, "visitor_id,variant,clicks", rows).unsure)
    assert "40 rows repeat a unit" in unsure
    assert "no level has a control's name; 'x' is only the first of x, y" in unsure


@pytest.mark.parametrize(
    ("header", "rows", "says"),
    [
        ("a,b", ["1.5,2.5", "1.5,2.5"], "no column looks like the unit"),
        ("user_id,color", [f"{i},red" for i in range(9)], "no column looks like the variant"),
        ("user_id,group", [f"{i},{'a' if i % 2 else 'b'}" for i in range(9)], "no column looks like a metric"),
    ],
)
def test_what_cannot_be_inferred_is_said_with_the_columns(
    tmp_path: Path, header: str, rows: list[str], says: str
) -> None:
    with pytest.raises(InputError, match=says) as raised:
        drafted(tmp_path, header, rows)
    assert header.split(",")[1] in (raised.value.fix or "")


def test_a_url_is_written_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(HEADER + "\n" + "\n".join(shop(50)) + "\n")
    engine = open_engine(None, base_dir=tmp_path)
    result = init.draft(engine, "r.csv", url="postgresql://ada:pass@db/shop")
    engine.close()
    assert result.document.source_url == "postgresql://ada:${DATABASE_PASSWORD}@db/shop"
    assert "pass@" not in result.text
