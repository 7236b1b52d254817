"""The quizzes on the pages say what the exercises' own checker says, right or wrong."""

import contents
import pytest
from website.chapter import Chapter
from website.quizzes import is_quiz, quiz_id

from kdlib.exercises import misconception
from kdlib.exercises.kinds.choices import LETTERS

pytestmark = pytest.mark.slow

CHAPTERS = [Chapter(s, None) for s in contents.sources() if s.with_suffix(".ipynb").exists()]
QUIZZES = {
    f"{chapter.source.stem}.html": [e for e in chapter.exercises if is_quiz(e)]
    for chapter in CHAPTERS
}
HEADS = {"wrong": "not yet", "error": "cannot be read", "not attempted": "no answer yet"}
CHOOSE = """([id, letter]) => {
  const form = document.getElementById(id);
  form.querySelector(`input[value="${letter}"]`).click();
  form.querySelector("button").click();
  return form.querySelector("output").innerText;
}"""
TYPE = """([id, answers]) => {
  const form = document.getElementById(id);
  return answers.map((answer) => {
    form.querySelector("input").value = answer;
    form.querySelector("button").click();
    return form.querySelector("output").innerText;
  });
}"""


def words(verdict):
    """The lines that the page should show for a verdict of the checker, but for the link."""
    name = f": {misconception(verdict.misconception).name}" if verdict.misconception else ""
    lines = [f"{HEADS.get(verdict.outcome, verdict.outcome)}{name}"]
    lines += [f"Seen: {verdict.seen}"] if verdict.seen else []
    lines += [f"Expected: {verdict.expected}"] if verdict.expected else []
    return [line.replace("`", "") for line in (*lines, *([verdict.note] if verdict.note else []))]


def shown(text):
    """The lines on the page, without the sign before the first and what leads on."""
    first, *others = [line.strip() for line in text.splitlines() if line.strip()]
    leads = ("What this mistake", "Show hint")
    return [first[2:], *(line for line in others if not line.startswith(leads))]


def test_there_are_quizzes_of_both_kinds():
    kinds = [exercise.kind for found in QUIZZES.values() for exercise in found]
    assert kinds.count("choice") >= 9 and kinds.count("number") >= 8


@pytest.mark.parametrize("path", [path for path, found in QUIZZES.items() if found])
def test_a_choice_answers_with_its_own_words(look, path):
    page = look(path)
    for exercise in (e for e in QUIZZES[path] if e.kind == "choice"):
        for letter in LETTERS[: len(exercise.options)]:
            text = page.run(CHOOSE, [quiz_id(exercise), letter])
            assert shown(text) == words(exercise.judge(letter)), f"{exercise.id} {letter}"
    assert page.complaints == []


@pytest.mark.parametrize("path", [path for path, found in QUIZZES.items() if found])
def test_a_number_answers_with_the_checkers_words(look, path):
    """One of each kind of answer; test_website_judges.py has all the others."""
    page = look(path)
    for exercise in (e for e in QUIZZES[path] if e.kind == "number"):
        answers = [f"{exercise.value:.{exercise.decimals}f}", "one", "1/0", "-7"]
        answers += [repr(wrong.example) for wrong in exercise.wrongs]
        for answer, text in zip(answers, page.run(TYPE, [quiz_id(exercise), answers])):
            assert shown(text) == words(exercise.judge(answer)), f"{exercise.id} {answer!r}"


@pytest.mark.parametrize("path", [path for path, found in QUIZZES.items() if found])
def test_each_quiz_of_a_chapter_has_its_form_hints_and_solution_in_its_card(look, path):
    page = look(path).page
    for exercise in QUIZZES[path]:
        card = page.locator(f"#exercise-{exercise.id}")
        assert card.locator("form.quiz").count() == card.locator("details.solution").count() == 1
        assert card.locator("details.hint").count() == len(exercise.hints)


def test_a_wrong_answer_is_offered_one_hint_after_the_other(look):
    card = look("02_the_objective.html").page.locator("#exercise-objective-on-two-inputs")
    for number in (1, 2):
        card.locator("input").fill(str(7 * number))
        card.locator("input").press("Enter")
        assert card.locator("details.hint[open]").count() == number - 1
        card.get_by_role("button", name=f"Show hint {number}").click()
        assert card.locator("details.hint[open]").count() == number


def test_a_quiz_without_an_answer_says_so(look):
    page = look("02_the_objective.html")
    form = page.page.locator("#quiz-objective-on-two-inputs")
    form.locator("button").click()
    assert shown(form.locator("output").inner_text()) == ["no answer yet"]


def test_a_wrong_answer_leads_to_its_misconception(look):
    page = look("02_the_objective.html").page
    form = page.locator("#quiz-objective-on-two-inputs")
    form.locator("input").fill("0.0286")  # the mean over the inputs
    form.locator("input").press("Enter")
    form.locator("output a").click()
    page.wait_for_url("**/misconceptions.html#misconception-mean-for-sum")
    assert page.locator("#misconception-mean-for-sum").is_visible()
