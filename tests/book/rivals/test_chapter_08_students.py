"""The rivals of section 8.6 that are trained: another lesson and exam, other k, lengths and readings."""

import pytest
from rivals.headlines import headline
from rivals.small_students import looks


@headline(
    8,
    "Read a few times, twelve drawn words teach a real student better than twelve likeliest ones, in "
    "loss and in calibration.",
)
@pytest.mark.parametrize("k", [3, 12])
def test_8_6_on_another_lesson_and_another_exam(k):
    """Rival: one lesson, one exam and twelve words had it so."""
    draws, top = looks("draws", k=k), looks("top", k=k)
    assert draws.loss < top.loss - 0.03
    assert draws.too_sure < top.too_sure - 0.01


@headline(
    8,
    "A slot for the rest repairs most of the calibration and next to nothing of the loss, because "
    "nobody tells the student how the rest is divided.",
)
@pytest.mark.parametrize("k", [3, 12])
def test_8_6_the_slot_with_fewer_words(k):
    """Rival: the slot does repair the loss, for another k, on another text; or it is the mass."""
    draws, top, rest = (looks(kind, k=k) for kind in ("draws", "top", "top and rest"))
    assert top.loss - rest.loss < 0.4 * (top.loss - draws.loss)
    assert top.too_sure - rest.too_sure > 0.3 * (top.too_sure - draws.too_sure)
    assert rest.mass < top.mass
    behind = rest.division - draws.division
    assert behind > 0.7 * (rest.loss - draws.loss)
    assert abs(rest.division - top.division) < 0.5 * behind


@headline(8, "The shorter the lesson, the smaller the lead of the draws.")
def test_8_6_half_the_lesson():
    """Rival: the lead is one of the target, whatever there is to average over."""
    leads = [
        looks("top", blocks=blocks, steps=steps).loss
        - looks("draws", blocks=blocks, steps=steps).loss
        for blocks, steps in ((32, 60), (64, 120))  # as many readings
    ]
    assert leads[0] < leads[1] - 0.02
