"""Cluster-robust comparisons: R estimatr and sandwich; Petersen 2009."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.oracles import DATA, Unsupported

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "data_file" in inputs:
        return petersen(inputs)
    if "lag" in inputs:
        return switchback(inputs)
    if "cluster" in inputs:
        return clustered(inputs)
    raise Unsupported(f"no method {method!r}")


def clustered(inputs: dict[str, Any]) -> dict[str, Any]:
    y, treated, cluster = (np.asarray(inputs[name]) for name in ("y", "treated", "cluster"))
    design = np.column_stack([np.ones(len(y)), treated])
    compare = across if set(cluster[treated == 0]) & set(cluster[treated == 1]) else between
    answers: dict[str, Any] = {}
    for name, covariance in (("CR0", "CR0"), ("CR1_stata", "CR1"), ("CR2", "CR2")):
        answers["est"], *found = compare(y, treated, cluster, covariance)
        answers[name] = dict(zip(("se", "df", "p"), found, strict=True))
    if "x" in inputs:
        fit = stats.ols(y, np.column_stack([design, inputs["x"]]), covariance="CR2", clusters=cluster)
        answers |= {"est_adj": fit.coef[1], "CR2_adj_se": fit.se[1], "CR2_adj_df": fit.df[1]}
    return answers


def between(y: Any, treated: Any, cluster: Any, covariance: Any) -> tuple[Any, ...]:
    """Estimate, standard error, df and p of arms that share no cluster."""
    control, treatment = (stats.ClusterSums.from_rows(y[treated == arm], cluster[treated == arm]) for arm in (0, 1))
    found = stats.cluster_difference(control, treatment, covariance=covariance, min_clusters=2, min_df=1)
    return found.value, found.se, found.df, found.p_value


def across(y: Any, treated: Any, cluster: Any, covariance: Any) -> tuple[Any, ...]:
    """The same where clusters have units in both arms."""
    fit = stats.ols(y, np.column_stack([np.ones(len(y)), treated]), covariance=covariance, clusters=cluster)
    effect = fit.estimates().at(1)
    return effect.value, effect.se, effect.df, effect.p_value


def petersen(inputs: dict[str, Any]) -> dict[str, Any]:
    columns = np.genfromtxt(DATA / Path(inputs["data_file"].split()[0]).name, delimiter=",", skip_header=1)
    firm, year, x, y = columns.T
    design = np.column_stack([np.ones(len(y)), x])
    fits = {
        "se_ols": stats.ols(y, design, covariance="classical"),
        "se_hc1": stats.ols(y, design, covariance="HC1"),
        "se_firm": stats.ols(y, design, covariance="CR1", clusters=firm),
        "se_year": stats.ols(y, design, covariance="CR1", clusters=year),
        "se_twoway": stats.ols(y, design, covariance="CR1", clusters=firm, second_clusters=year),
    }
    answers: dict[str, Any] = {"coef": fits["se_ols"].coef} | {name: fit.se for name, fit in fits.items()}
    printed = {name: np.round(values, 4) for name, values in answers.items()}  # the paper prints four decimals
    return answers | {"published": printed}


def switchback(inputs: dict[str, Any]) -> dict[str, Any]:
    y, treated = np.asarray(inputs["y"], dtype=float), np.asarray(inputs["treated"], dtype=float)
    design = np.column_stack([np.ones(len(y)), treated])
    hac = stats.ols(y, design, covariance="newey_west", lag=inputs["lag"])
    white = stats.ols(y, design, covariance="HC0")
    return {"est": hac.coef[1], "se_nw": hac.se[1], "se_hc0": white.se[1]}
