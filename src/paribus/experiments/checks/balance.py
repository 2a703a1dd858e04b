"""Are the arms alike before exposure?"""

from __future__ import annotations

from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.covariates import UNLIKE
from paribus.experiments.phrases import listing, p_words
from paribus.experiments.result import Check

NAME = "pre-period balance"


def look(subject: Subject) -> Check:
    """Warns when a covariate, or the share of units with a history, differs between the arms at p < .001.

    The adjustment is dropped for that metric then: either the randomization failed or the covariate is not of before.
    """
    found = subject.imbalances
    if not found:
        return answer(NAME, "warning", None, "there are no covariates from before exposure")
    worst = min(found, key=lambda each: each.p_value)
    unlike = [each for each in found if each.p_value < UNLIKE]
    if not unlike:
        smallest = f"smallest of {len(found)} comparisons: {p_words(worst.p_value)}"
        sentence = f"the arms are alike before exposure ({smallest})"
        return answer(NAME, "warning", False, sentence, worst.p_value)
    metrics = list(dict.fromkeys(each.metric for each in unlike))
    what = "the share of units with a history" if all(each.history for each in unlike) else "covariates"
    sentence = (
        f"{what} of {listing(metrics)} differ between the arms before exposure, so "
        f"{'its' if len(metrics) == 1 else 'their'} effect is shown without adjustment"
    )
    return answer(NAME, "warning", True, sentence, worst.p_value, {"metrics": metrics})
