"""Exercises that are tested against mistakes.

For a reader, all there is::

    from kdlib.exercises import exercise, print_progress

    exercise("soften")                  # the task
    exercise("soften").check(soften)    # correct, wrong (and which mistake), not attempted, error
    exercise("soften").hint()           # hint(2), hint(3): closer and closer
    exercise("soften").solution()
    print_progress(1)                   # what is done, tried and open in chapter 1
    predict("04-better-mimic", "a")     # kept, and not judged; without an answer, the question
    foreseen("04")                      # which predictions of chapter 4 came true
    symptom("my loss is negative")      # the mistakes that show it
    bug("temperature-inverted")         # a mistake's card: broken code beside sound code, both run

**For an author: how to write exercises.**

``chapter_NN/exercises.toml`` has a chapter's exercises: `order` names them, as the book has them,
and each has a table under its id. Only what is answered with code is a module,
``chapter_NN/its_name.py``: its reference function, decorated::

    @code(
        source=("Q03",), difficulty=2, minutes=5,
        prompt="Write `soften`: ...",
        hints=("the idea", "the place", "nearly the code"),
        explanation="Shown with the solution and when the answer is right.",
    )
    def soften(logits, temperature):
        '''Probabilities of `logits` at `temperature`, over the last dimension.'''
        return torch.softmax(logits / temperature, dim=-1)

    soften.probe("temperature 4", normal(3, 5, seed=1), 4.0)
    soften.probe("huge logits", normal(2, 4, seed=2, scale=1e4), 2.0, points_to="softmax-overflow")

    @soften.also                                  # another correct solution
    def soften_by_hand(logits, temperature): ...

    @soften.wrong("temperature-inverted",         # an id of misconceptions.toml
        seen="at temperature 4 the result is sharper than at 1",
        expected="a higher temperature flattens")
    def soften_times(logits, temperature): ...

    soften.mistakes(                              # several, of one expression each
        ("temperature-ignored", "all temperatures give the same rows", "rows that change",
            lambda logits, temperature: torch.softmax(logits, dim=-1)),
    )

The id is the function's name with dashes. Its head and docstring are the stub that the reader
starts from, so they have types and shapes and no solution; the first line says what a right answer
does, and verdicts quote it. The solution must run in the chapter's notebook: use torch, math and F,
or import inside the function. Where a mistake is one part of an answer, write the answer once, as a
function of its parts. Then a row says which part is done wrongly, and two at once are recognised as
well::

    def _loss(kl=kl_of_logs, power=2): ...        # returns an answer; _loss() is right
    name_switches(distil, _loss, ("missing-t-squared", "...", "...", {"power": 0}), *kl_switches())
    name_lookalikes(distil, lambda kl: _loss(kl=kl))    # what else is taken for KL

The other kinds are data; chapter_01 has one of each. In their texts a line break is a space, but
for empty lines and lines that begin with "- ". A table has kind, source (the questions that it asks
in other words, not those that it touches on: none is a good answer), difficulty, minutes, prompt,
hints, an explanation if there is one (of a choice it is the right option's comment), and

- of kind "choice": `options`, tables with `right` and `comment`, or with `wrong`, `misconception`,
  `seen` and `expected`;
- "derivation": `blanks`, each a text or a list of texts that are all right, `symbols` if they are
  formulas, and `mistakes`, rows of [blank, text, misconception, seen, expected];
- "number": `decimals`, a `unit`, `value` as a formula, such as "gain / (gain + loss)", what is
  `given` in it, and `mistakes`: [misconception, formula, seen, expected];
- "ordering": `items` in a right order, pairs of item numbers in `before` if other orders are right
  too (the first of a pair is needed before the second), and `mistakes`: [early, late,
  misconception, seen, expected], for item number `late` put before item number `early`;
- "written" (*explain*, *critique*, *diagnose*, *justify*): a `model` answer of two to five
  sentences that makes every point of the `rubric`, tables with `point`, `misconception` (what an
  answer without it shows), `found` and `without`.

A choice must not be answerable with a ruler or by leafing back: the right option is no longer than
the others, and its words do not occur in the chapter above it. A test measures both.

A point of a rubric is something to look for, not a matter of taste: two readers would tick it
alike. `found`, a number, a regular expression or a list of them, lets the program tick it, and must
claim too little rather than too much: it passes by sentences that ask, and those with a "not",
"never" or "rather" around what it looks for. A word alone shows a name ("Names the size"); a
statement ("Says that ...") takes two words that belong together: ``'forward[^.]*?covers'``, not
``'covers'``. Where no pattern can be trusted, leave `found` out. One point at least has `without`,
an answer as somebody would give it who does not see the point.

Rules of thumb:

- Probes: choose sizes that differ from each other (B other than T other than V), a temperature
  other than 1, exact zeros, huge logits, unequal padding. Every named mistake must fail at least
  one probe, and two named mistakes must differ on one. The tests check that.
- A probe that tests care only (zeros, huge numbers, ties) gets `points_to`: code that fails there
  and nowhere else is named, whatever it looks like, and such a slip does not hide another mistake.
- ``measure=f`` makes a probe call ``f(answer, *args)`` instead of the answer: for gradients, for
  two calls that should agree, for a property that several right answers share.
- Write down every mistake you can think of, also dull ones: naming works by likeness of behaviour.
  A mistake that takes many forms gets a rule: ``@name.symptom(id, seen=..., expected=...)`` over
  the dictionary {probe name: result}; results are numpy arrays, tuples of them, or text.
- Recognised without your help: a sign, another base of the logarithm, a constant factor, one number
  for all rows, an argument that comes back, two kept mistakes that multiply. Of a pair of results
  each is looked at by itself.
- Ask a loss for the student's gradient (`authoring.gradients.trains_the_student`) and for a
  logarithm without a floor (`authoring.floors.no_floor`); ask what a call does to the models that
  it is given (`authoring.left_behind.changed`).
- `seen` is true of every answer that makes the mistake, `expected` does not give the answer away.
- A new mistake is a new entry in misconceptions.toml, with an id in kebab-case.
- Try answers that you have not kept: ``tests/exercises/test_unseen_*.py``.

In the chapter's percent file an exercise is two code cells: ``exercise("soften")``, which shows the
task, and what ``print(exercise("soften").cell())`` prints, pasted as it is; the solved copy has
``exercise("soften").cell(solved=True)``. The first line, ``# exercise: soften``, marks it. While a
chapter is built or tested, set ``KDLIB_PROGRESS_DIR=off``.

Where things are: `judging` runs an answer (sandbox) and names its mistake (diagnosis); `kinds` has
what a reader answers with, and `kinds.data` reads the tables; `authoring` has probes, pieces of
answers, and mistakes in their many forms; `museum` has a card of each mistake without an exhibit in
chapter 13, and finds mistakes by their symptoms; `notebooks` solves, copies and grades;
`predictions` has what a reader is asked to foresee, and `kept` the reader's own files.
"""

from kdlib.exercises.catalogue import misconception, misconceptions
from kdlib.exercises.judging.verdict import Verdict
from kdlib.exercises.kinds.functions import code
from kdlib.exercises.museum.cards import bug
from kdlib.exercises.museum.finder import symptom
from kdlib.exercises.notebooks.grade_sheets import grade_table
from kdlib.exercises.notebooks.grading import grade
from kdlib.exercises.notebooks.solved import marked_cells, solve, start
from kdlib.exercises.notebooks.tables import (
    coverage_table,
    export_json,
    print_coverage,
    print_progress,
    progress_table,
)
from kdlib.exercises.predictions.cells import foreseen, predict
from kdlib.exercises.registry import chapters, coverage, exercise, exercises

__all__ = [
    "Verdict",
    "bug",
    "chapters",
    "code",
    "coverage",
    "coverage_table",
    "exercise",
    "exercises",
    "export_json",
    "foreseen",
    "grade",
    "grade_table",
    "marked_cells",
    "misconception",
    "misconceptions",
    "predict",
    "print_coverage",
    "print_progress",
    "progress_table",
    "solve",
    "start",
    "symptom",
]
