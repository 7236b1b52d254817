"""A recipe and a text give one report, whenever the run is made."""

from pathlib import Path

import pytest
from little_runs import lasting, little, result, run

from kdlib.jobs import patience
from kdlib.jobs.recipe import Controls
from kdlib.reports.fields import leaves

pytestmark = pytest.mark.slow


def test_two_runs_give_the_same_report_but_for_seconds_and_memory(workplace, monkeypatch):
    """With every control and two seeds. The patient one would go on for long on so little text."""
    monkeypatch.setattr(
        patience, "_is_better", lambda folder, one, other: one.endswith("control_patient_12")
    )
    recipe = little("book.txt", controls=Controls(patient=True), seeds=2)
    run(recipe, Path("one")), run(recipe, Path("other"))
    one, other = result(Path("one")), result(Path("other"))
    assert one["operations"]["control_patient"] > 0 and len(one["trainings"]) == 2
    assert len(lasting(one)) > 0.9 * len(list(leaves(one))), "little is left out"
    for (path, value), (same_path, same_value) in zip(lasting(one), lasting(other), strict=True):
        assert (path, value) == (same_path, same_value)


def test_another_seed_gives_another_report(workplace):
    """Otherwise the comparison above could not fail."""
    report = run(little("book.txt", seed=1), Path("one"))
    first, second = result(Path("run"))["trainings"]
    assert report["trainings"][0]["student"] not in (first["student"], second["student"])
