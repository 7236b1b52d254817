"""The rival of section 5.9: another lesson, another exam, another confusion."""

from rivals.headlines import headline
from rivals.mixed_label_students import classroom, learned, muddled


@headline(
    5,
    "A small transformer shows the same shapes: with a good teacher more lambda is better all the "
    "way, with a confused one the best is in between.",
)
@headline(
    5,
    "a real student, too, passes with labels and a habitual teacher what either gives it alone.",
)
def test_5_9_on_another_lesson_and_another_exam():
    """Rival: one lesson and one exam had it so; another muddle, lesson and exam may not."""
    lesson, _, answers = classroom()
    labels, confused = lesson[:, 1:], muddled(answers, seed=5)
    for seed in (10, 11, 12):
        alone = learned(seed, 0.0, labels, answers)
        good = [learned(seed, x, labels, answers) for x in (1.0, 100.0)]
        assert alone > good[0] > good[1]
        odd = [learned(seed, x, labels, confused) for x in (1.0, 100.0)]
        assert odd[0] < min(alone, odd[1]) - 0.02
