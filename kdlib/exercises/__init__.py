"""Exercises that are tested against mistakes.

For a reader, all there is::

    from kdlib.exercises import exercise

    exercise("soften")                  # the task
    exercise("soften").check(soften)    # correct, wrong (and which mistake), not attempted, error
    exercise("soften").hint()           # hint(2), hint(3): closer and closer
    exercise("soften").solution()

**For an author: how to write exercises.**

An exercise is a file of its own, ``chapter_NN/name_of_it.py``; it belongs to the book by being
imported in ``chapter_NN/__init__.py``, and stands there in the book's order. There are five kinds.
A code exercise is its reference function, decorated::

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

The id is the function's name with dashes. The stub that the reader starts from is made of the
function's head and docstring, so keep types and shapes in the docstring and no solution. Its first
line says what a right answer does; verdicts quote it. The solution must run in the chapter's
notebook: use torch, math and F, or import inside the function.

`number` decorates a function without arguments that computes the value. `choice`, `ordering` and
`derivation` are calls; chapter_01 has an example of each. Several mistakes make a table::

    soften.mistakes(
        ("temperature-ignored", "all temperatures give the same rows", "rows that change",
            lambda logits, temperature: torch.softmax(logits, dim=-1)),
    )

In the other kinds the answer, or where in it the mistake is, stands first: see `wrong` of each.

Where a mistake is one part of an answer, write the answer once, as a function of its parts. Then a
row says which part is done wrongly, and two mistakes at once are recognised as well::

    def _loss(kl=kl_of_logs, power=2): ...        # returns an answer; _loss() is right
    name_switches(distil, _loss, ("missing-t-squared", "...", "...", {"power": 0}), *kl_switches())
    name_lookalikes(distil, lambda kl: _loss(kl=kl))    # what else is taken for KL

Rules of thumb:

- Probes: choose sizes that differ from each other (B other than T other than V), a temperature
  other than 1, exact zeros, huge logits, unequal padding. Every named mistake must fail at least
  one probe, and two named mistakes must differ on one. The tests check that.
- A probe that tests care only (zeros, huge numbers, ties) gets `points_to`: code that fails there
  and nowhere else is named, whatever it looks like, and such a slip does not hide another mistake.
- ``measure=f`` makes a probe call ``f(answer, *args)`` instead of the answer: for gradients, for two calls
  that should agree, for a property that several right answers share.
- Write down every mistake you can think of, also dull ones: naming works by likeness of behaviour.
  A mistake that takes many forms gets a rule: ``@name.symptom(id, seen=..., expected=...)`` over the
  dictionary {probe name: result}; results are numpy arrays, tuples of them, or text.
- Recognised without your help: a sign, another base of the logarithm, a constant factor, one number
  for all rows, an argument that comes back, two kept mistakes that multiply. Of a pair of results
  each is looked at by itself.
- `seen` is true of every answer that makes the mistake, `expected` does not give the answer away.
- A new mistake is a new entry in misconceptions.toml, with an id in kebab-case.
- Try answers that you have not kept: ``tests/exercises/test_unseen_*.py``.

In the chapter's percent file an exercise is two code cells: ``exercise("soften")``, which shows the
task, and the cell that ``print(exercise("soften").cell())`` prints, pasted as it is. Its first line,
``# exercise: soften``, marks it; the solved copy has ``exercise("soften").cell(solved=True)`` there.
Chapters begin with ``from kdlib.exercises import exercise``. While a chapter is built or tested, set
``KDLIB_PROGRESS_DIR=off``.

Where things are: `judging` runs an answer (sandbox) and names its mistake (diagnosis); `kinds` has
what a reader answers with; `authoring` has probes, pieces of answers, and mistakes in their many
forms; `notebooks` solves, copies and grades.
"""

from kdlib.exercises.catalogue import misconception, misconceptions
from kdlib.exercises.judging.verdict import Verdict
from kdlib.exercises.kinds.choices import choice, right, wrong
from kdlib.exercises.kinds.derivations import derivation
from kdlib.exercises.kinds.functions import code
from kdlib.exercises.kinds.numbers import number
from kdlib.exercises.kinds.orderings import ordering
from kdlib.exercises.notebooks.grading import grade
from kdlib.exercises.notebooks.solved import marked_cells, solve, start
from kdlib.exercises.notebooks.tables import (
    coverage_table,
    export_json,
    grade_table,
    print_coverage,
    print_progress,
    progress_table,
)
from kdlib.exercises.registry import chapters, coverage, exercise, exercises

__all__ = [
    "Verdict",
    "chapters",
    "choice",
    "code",
    "coverage",
    "coverage_table",
    "derivation",
    "exercise",
    "exercises",
    "export_json",
    "grade",
    "grade_table",
    "marked_cells",
    "misconception",
    "misconceptions",
    "number",
    "ordering",
    "print_coverage",
    "print_progress",
    "progress_table",
    "right",
    "solve",
    "start",
    "wrong",
]
