"""The rivals of section 8.6 on reading again and again: a short lesson, read fifteen times."""

from rivals.headlines import headline
from rivals.small_students import ALL, NEW, counted, looks

SHORT = {"blocks": 32, "steps": 120}


@headline(
    8,
    "But draws that are kept are drawn once: a real student that reads them too often learns them by "
    "heart, where new draws go on to help.",
)
@headline(
    8,
    "Let a student have a single draw at each place, but a new one each time, and after enough steps "
    "it is ahead of all that read kept targets.",
)
def test_8_6_kept_draws_are_learned_by_heart():
    """Rival: one draw, or twelve, are too few, kept or not; or reading so often harms anyone."""
    one, kept, top, rest = (looks(k, **SHORT) for k in ("one draw", "draws", "top", "top and rest"))
    assert one.loss > counted(SHORT["blocks"]) + 0.3  # a table of single words is ahead of it
    assert kept.loss > looks("draws", blocks=32, steps=60).loss + 0.05
    new = looks(NEW, **SHORT)
    assert looks(ALL, **SHORT).loss < new.loss < looks(ALL, **SHORT).loss + 0.15
    assert looks(NEW, k=1, **SHORT).loss < min(kept.loss, top.loss, rest.loss) - 0.02


@headline(
    8,
    "Over the drawn words the lead stays when a student reads for longer; over all of P it does not.",
)
def test_8_6_agreement_after_more_readings():
    """Rival: the likeliest words teach the top best, for however long a student reads."""
    every, kept, top = (looks(kind, **SHORT).agreement for kind in (ALL, "draws", "top"))
    assert top > kept + 0.01
    assert top < every + 0.01
