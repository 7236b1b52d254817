"""Exercises that are tested against mistakes.

For a reader, all there is::

    from kdlib.exercises import exercise

    exercise("soften")                  # the task
    exercise("soften").check(soften)    # correct, wrong (and which mistake), not attempted, error
    exercise("soften").hint()           # hint(2), hint(3): closer and closer
    exercise("soften").solution()

**For an author: how to write exercises.**

An exercise is a file of its own, ``chapter_NN/name_of_it.py``; it belongs to the book by being
imported in ``chapter_NN/__init__.py``, and stands there in the book's order. There are six kinds.
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

*Explain*, *critique*, *diagnose* and *justify* are asked for in a written answer. The reader writes a
few sentences, sees them beside a model answer, and ticks the points of a rubric::

    why_two_models = written(
        "why-two-models",
        source=("Q01",), difficulty=2, minutes=5,
        prompt="In three sentences: why are there two models, and not one?",
        hints=("the idea", "the place", "nearly the sentence"),
        model="Two to five sentences that make every point, in the order of the rubric.",
        rubric=(
            point("Says that the teacher may be as slow as it likes, since nobody deploys it.",
                misconception="bigger-is-better",      # what an answer without the point shows
                without="The teacher is a large model and so it has learned more than the student."),
            point("Names the size: 31 million parameters against 135.",
                misconception="precision-forgotten", found=31),
            point("Says that the targets come from the teacher, not from the labels.",
                misconception="labels-for-teacher", found=r"targets? come from the teacher"),
        ),
    )

A point is something to look for, not a matter of taste: two readers would tick it alike. `found`
lets the program tick it, and must claim too little rather than too much: it looks at one sentence at
a time and passes by those that ask, and those with a "not", "never" or "rather" around what it looks
for. A word alone shows a name ("Names the size"); a statement ("Says that ...") takes two words that
belong together, in their order: ``r"forward[^.]*?covers"``, not ``r"covers"``. Where such a pattern
cannot be trusted, leave `found` out. Where it finds nothing the reader is asked to look; nothing is
refused. At least one point of an exercise has
`without`, an answer as somebody would give it who does not see the point. The verdict is
"self-marked", in progress and grades as well, and never "correct".

A choice must not be answerable with a ruler or by leafing back: the right option is no longer than
the others, and its words do not occur in the chapter above it. A test measures both.

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
from kdlib.exercises.kinds.written import point, written
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
    "point",
    "print_coverage",
    "print_progress",
    "progress_table",
    "right",
    "solve",
    "start",
    "written",
    "wrong",
]
