"""The forms of all exercises on one page of their own, with the scripts that judge them.

So the forms of every exercise can be opened at once, and before the chapter that sets it is built.
"""

import json
from pathlib import Path

import website
from website import judge
from website.quizzes import form, is_quiz, quiz_id

from kdlib.exercises import exercises

STATIC = Path(website.__file__).with_name("static")
ALL = [e for e in exercises().values() if is_quiz(e)]
JUDGE = """([id, answers]) => {
  const form = document.getElementById(id);
  const data = JSON.parse(form.querySelector("script").textContent);
  return answers.map((answer) => Exercises.judge(form.dataset.kind, answer, data));
}"""


def write(folder):
    """The page's path."""
    forms = "\n".join(f"<div>{form(e)}</div>" for e in ALL)
    style = "".join((STATIC / f"{name}.css").read_text("utf-8") for name in ("book", "order"))
    path = folder / "forms.html"
    path.write_text(
        f'<!doctype html><html lang="en"><title>Forms</title><meta charset="utf-8">'
        f"<style>{style}</style><main><h1>Forms</h1>{forms}</main>{scripts()}</html>",
        "utf-8",
    )
    return path


def scripts():
    texts = (
        judge.script() if name == judge.RULES else (STATIC / name).read_text("utf-8")
        for name in judge.SCRIPTS
    )
    return "\n".join(f"<script>{text}</script>" for text in texts)


def judged(page, exercise, answers):
    """What the page's judge makes of each answer."""
    return page.evaluate(JUDGE, [quiz_id(exercise), json.loads(json.dumps(answers))])
