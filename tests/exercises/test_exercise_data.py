"""Exercises as data: what a table says is what the exercise has, and a faulty one is refused."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import kdlib.exercises
from kdlib.exercises import chapters, exercise, exercises
from kdlib.exercises.authoring.kl import kl_of_numbers
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.data import read_chapter

ABOUT = """
source = ["Q01"]
difficulty = 1
minutes = 2
hints = ["the idea", "the place"]
"""
PROMPT = 'prompt = "What?"\n'
NUMBER = f"""
order = ["a-gap"]
[a-gap]
kind = "number"
{ABOUT}{PROMPT}
decimals = 2
given = {{weak = 0.28, ceiling = "0.1 - 0.02", gap = "weak - ceiling"}}
value = "gap / weak"
mistakes = [
    ["ratio-turned-round", "1 / value", "turned round", "a share"],
    ["ratio-and-difference", "gap", "a difference", "a ratio"],
]
"""
RIGHT = 'right = "this"\ncomment = "so it is"'
WRONG = """wrong = "that"
misconception = "sign-flipped"
seen = "that is seen"
expected = "this is expected\""""
CHOICE = f"""
order = ["a-choice"]
[a-choice]
kind = "choice"
{ABOUT}{PROMPT}
[[a-choice.options]]
{RIGHT}
[[a-choice.options]]
{WRONG}
"""
DERIVATION = f"""
order = ["a-derivation"]
[a-derivation]
kind = "derivation"
{ABOUT}
prompt = "[1], [2]"
symbols = ["x"]
blanks = ["2 * x", ["one", "1"]]
mistakes = [[2, "two", "off-by-one", "one too many", "one less"]]
"""
ORDERING = f"""
order = ["an-order"]
[an-order]
kind = "ordering"
{ABOUT}{PROMPT}
items = ["first", "second", "third"]
mistakes = [[1, 2, "order-of-work", "the second comes first", "the first comes first"]]
"""
THIRD = """
[[some-words.rubric]]
point = "Is short."
misconception = "sign-flipped"
"""
WRITTEN = f"""
order = ["some-words"]
[some-words]
kind = "written"
{ABOUT}{PROMPT}
model = "The teacher comes first, and 0.25 is what it gives."
[[some-words.rubric]]
point = "Names the teacher."
misconception = "kl-reversed"
found = ['\\bteacher\\b', "large model"]
without = "The student comes first."
[[some-words.rubric]]
point = "Gives the value."
misconception = "nats-for-bits"
found = 0.25{THIRD}"""


def made(text):
    order, found = read_chapter(text, "made_up.toml")
    (id,) = order
    return found[id]


# ---------------------------------------------------------------- what is read


def test_a_number_is_computed_from_what_is_given():
    e = made(NUMBER)
    assert e.value == pytest.approx(0.2 / 0.28) and e.cell().splitlines()[1] == (
        "answer = ...  # to 2 decimals"
    )
    assert e.check("0.71") and e.check(1.4).misconception == "ratio-turned-round"
    assert e.check(0.2).seen == "a difference"
    *_, working = e.solution().split("\n\n")
    assert working.splitlines() == [
        "weak = 0.28",
        "ceiling = 0.1 - 0.02",
        "gap = weak - ceiling",
        "answer = gap / weak",
    ]


def test_the_other_kinds_judge_by_their_tables():
    choice, derivation, ordering, written = map(made, (CHOICE, DERIVATION, ORDERING, WRITTEN))
    assert choice.check("a").note == "so it is" and choice.check("b").seen == "that is seen"
    assert choice.prompt == "What?\n\n- (a) this\n- (b) that"
    assert derivation.check("x + x", "1") and derivation.check("2*x", "one")
    assert derivation.check("2*x", "two").misconception == "off-by-one"
    assert ordering.check(ordering.letters)
    assert ordering.check(ordering.wrongs[0].example).seen == "the second comes first"
    found = [p.found for p in written.rubric]
    assert found == [r"\bteacher\b|large model", 0.25, None]
    assert [p.without for p in written.rubric] == ["The student comes first.", "", ""]
    assert not ordering.check(ordering.letters[::2] + ordering.letters[1])
    for e in (choice, derivation, ordering, written):
        assert (e.source, e.difficulty, e.minutes) == (("Q01",), 1, 2)
        assert e.hints == ("the idea", "the place")


def test_an_order_may_be_partial():
    free = made(ORDERING.replace("mistakes", "before = [[1, 2], [1, 3]]\nmistakes"))
    first, second, third = free.letters
    assert free.check(first + third + second) and not free.check(second + first + third)


def test_a_line_break_is_a_space_but_for_lists_and_empty_lines():
    long = '''prompt = """
One sentence
  goes on. Another
    - 1 begins a list:

- one item
  of two lines
- 2 - 1 is
  1

    The end."""
'''
    e = made(NUMBER.replace(PROMPT, long))
    assert e.prompt == (
        "One sentence goes on. Another\n- 1 begins a list:\n\n- one item of two lines\n"
        "- 2 - 1 is 1\n\nThe end."
    )


# ---------------------------------------------------------------- what is refused

FAULTS = {
    "no TOML": (NUMBER, "order = [", "order = ", "made_up.toml: "),
    "no order": (NUMBER, 'order = ["a-gap"]', "", "'a-gap' is not in `order`"),
    "twice in order": (
        NUMBER,
        '["a-gap"]',
        '["a-gap", "a-gap"]',
        "'a-gap' stands in `order` twice",
    ),
    "order of numbers": (NUMBER, '["a-gap"]', "[1]", "'order' must be a list of texts"),
    "no table": (NUMBER, '["a-gap"]', '["a-gap", "one"]\none = 1', "one: a table is expected"),
    "no kind": (NUMBER, 'kind = "number"', "", "kind is None; it must be one of choice, "),
    "unknown kind": (NUMBER, '"number"', '"riddle"', "kind is 'riddle'"),
    "unknown key": (NUMBER, "decimals", "decimal", "no key 'decimal'; is it 'decimals'"),
    "key of another kind": (NUMBER, PROMPT, PROMPT + 'model = "x"\n', "no key 'model'"),
    "missing key": (NUMBER, "decimals = 2", "", "'decimals' is missing"),
    "missing prompt": (NUMBER, PROMPT, "", "'prompt' is missing"),
    "hints in one text": (NUMBER, '["the idea", "the place"]', '"the idea"', "'hints' must be a l"),
    "text for a number": (NUMBER, "minutes = 2", 'minutes = "2"', "'minutes' must be a whole"),
    "truth for a number": (NUMBER, "minutes = 2", "minutes = true", "'minutes' must be a whole"),
    "difficulty": (NUMBER, "difficulty = 1", "difficulty = 6", "a-gap: difficulty is 6"),
    "no formula": (NUMBER, '"gap / weak"', '"gap / / weak"', "'gap / / weak' cannot be computed"),
    "unknown quantity": (NUMBER, '"gap / weak"', '"gap / week"', "from weak, ceiling, gap: "),
    "given list": (NUMBER, "weak = 0.28", "weak = [0.28]", "'given' must be a table of numbers"),
    "short row": (NUMBER, '"turned round", ', "", "mistake 1 must be [misconception, value, seen"),
    "row of another kind": (NUMBER, '["ratio-and-', '[1, "ratio-and-', "mistake 2 must be ["),
    "mistaken misconception": (NUMBER, "turned-round", "turned", "misconception 'ratio-turned' is"),
    "no right option": (CHOICE, RIGHT, WRONG, "exactly one option must be right"),
    "two right options": (CHOICE, WRONG, RIGHT, "exactly one option must be right"),
    "option without either": (CHOICE, 'right = "this"', "", "option: there is no key 'comment'"),
    "option without comment": (CHOICE, 'comment = "so it is"', "", "option: 'comment' is missing"),
    "option without seen": (CHOICE, 'seen = "that is seen"', "", "option: 'seen' is missing"),
    "comment out of place": (CHOICE, PROMPT, PROMPT + 'explanation = "x"', "no key 'explanation'"),
    "blank that is not shown": (DERIVATION, '"[1], [2]"', '"[1]"', "does not show the blanks [2]"),
    "blank as a number": (DERIVATION, '"2 * x", ', "2, ", "'blanks' must be a list of texts, or"),
    "mistake's blank": (DERIVATION, "[[2, ", '[["2", ', "mistake 1: 'blank' must be a whole"),
    "items turned round": (ORDERING, "[[1, 2, ", "[[2, 1, ", "must be item numbers, in the right"),
    "pair of three": (ORDERING, "mistakes", "before = [[1, 2, 3]]\nmistakes", "'before' must be"),
    "point without text": (WRITTEN, 'point = "Is short."', "", "point: 'point' is missing"),
    "broken expression": (WRITTEN, "large model", "(large model", "made_up.toml, some-words: "),
    "short rubric": (WRITTEN, THIRD, "", "the rubric has 2 points; it must have 3 or 4"),
}


@pytest.mark.parametrize(("text", "old", "new", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_file(text, old, new, said):
    assert text.count(old) >= 1
    with pytest.raises(ValueError) as refused:
        read_chapter(text.replace(old, new, 1), "made_up.toml")
    assert str(refused.value).startswith("made_up.toml") and said in str(refused.value)


# ---------------------------------------------------------------- the book's tables


def test_every_module_with_an_exercise_is_in_its_chapters_order():
    for chapter, found in chapters().items():
        package = importlib.import_module(f"kdlib.exercises.chapter_{chapter:02}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            held = vars(importlib.import_module(module.name)).values()
            assert {e for e in held if isinstance(e, Exercise)} <= set(found), module.name


def test_what_needs_no_code_is_data():
    modules = Path(kdlib.exercises.__file__).parent.glob("chapter_*/*.py")
    names = {path.stem.replace("_", "-") for path in modules}
    assert {e.id for e in exercises().values() if e.kind != "code"}.isdisjoint(names)


def test_the_divergences_in_texts_are_those_of_their_prompts():
    """They stand there as digits; a changed prompt would leave them wrong."""

    def quoted(teacher, *students):
        return [f"{kl_of_numbers(teacher, student):.4f}" for student in students]

    teacher, a, b = (0.7, 0.2, 0.1), (0.6, 0.3, 0.1), (0.8, 0.1, 0.1)
    better, mimic = exercise("divergence-of-better-student"), exercise("the-better-mimic")
    for e in (better, mimic):
        assert all(str(p) in e.prompt for p in (teacher, a, b))
    near, far = quoted(teacher, a, b)
    assert better.answer_solved == f"answer = {near}" and far in better.explanation
    assert f"KL(P||A) is {near}" in mimic.model and f"KL(P||B) is {far}" in mimic.model
    assert near in mimic.rubric[0].found and far in mimic.rubric[1].found

    e, three = exercise("three-replicas"), ((0.65, 0.22, 0.13), (0.7, 0.1, 0.2), (0.5, 0.3, 0.2))
    shown = ("0.65, 0.22, 0.13", "0.7, 0.1, 0.2", "0.5, 0.3, 0.2")
    assert all(text in e.prompt for text in ("P = (0.7, 0.2, 0.1)", *shown))
    assert ", ".join(quoted(teacher, *three)) in e.explanation

    e, teacher = exercise("four-students"), (0.8, 0.1, 0.1)
    four = [tuple(map(float, item.strip("()").split(","))) for item in e.items]
    assert str(teacher) in e.prompt and ", ".join(quoted(teacher, *four)) in e.explanation
    assert quoted(teacher, *four) == sorted(quoted(teacher, *four))


def test_numbers_that_stand_for_a_formula_are_its_value():
    e = exercise("students-that-swap")
    formula, *rounded = e.blanks[3]
    assert formula == "0.1*log(3)"
    assert rounded == [f"{0.1 * 1.0986122886681098:.{places}f}" for places in (2, 3, 4, 5, 6)]
    e = exercise("bug-bytes-on-paper")
    assert "V = 131072, b = 2, i = 4 and k = 64" in e.explanation
    assert f"is {131072 * 2 / (64 * (4 + 2)):.0f} times smaller" in e.explanation


def test_its_source_fits_into_a_hundred_columns():
    """But for a pattern, which cannot be cut."""
    folder = Path(kdlib.exercises.__file__).parent
    wide = [
        f"{path.name}:{number}"
        for path in (*folder.rglob("*.py"), *folder.rglob("*.toml"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > 100 and not line.startswith("found = ")
    ]
    assert wide == []
