"""What the claims' arms are made of: operations that pay for steps, and who writes."""

from kdlib.claims.grounds import adding
from kdlib.claims.grounds.costs import ahead, operations, steps_for
from kdlib.claims.grounds.learning import FROM_TEXT, Lesson
from kdlib.training.rollouts import Rollouts

FEW = 16  # problems


def lessons(steps):
    """Alone, with a teacher, and writing half of the answers."""
    blocks, targets = adding.lesson(FEW), adding.exact(FEW, quick=True)
    return {
        "alone": Lesson(blocks, steps, 4, FROM_TEXT),
        "reads": Lesson(blocks, steps, 4, targets=targets),
        "writes": Lesson(
            blocks, steps, 4, targets=targets, rollouts=Rollouts(0.5, adding.PROMPT, adding.NEW)
        ),
    }


def models():
    return adding.new_student(0), adding.teacher(quick=True)


def test_steps_are_as_many_as_the_operations_pay_for():
    spent = operations(lessons(40)["writes"], *models())
    for kind in ("alone", "reads"):
        steps = steps_for(spent, lessons(1)[kind], *models())
        assert steps > 40
        assert operations(lessons(steps)[kind], *models()) <= spent
        assert operations(lessons(steps + 1)[kind], *models()) > spent


def test_each_thing_costs_something():
    costs = {kind: operations(each, *models()) for kind, each in lessons(40).items()}
    assert costs["alone"] < costs["reads"] < costs["writes"]
    assert ahead(lessons(40)["alone"], models()[1]) == 0
    assert ahead(lessons(1)["reads"], models()[1]) == ahead(lessons(40)["reads"], models()[1]) > 0
