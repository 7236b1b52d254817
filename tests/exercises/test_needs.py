"""Running what the answers need gives the same answers as running the whole notebook."""

import contextlib
import random

import pytest

from kdlib.exercises.notebooks.needs import needed
from kdlib.exercises.notebooks.submissions import Cell


class Checks:
    """Stands in for `exercise`: keeps what is handed to each check."""

    def __init__(self):
        self.handed = {}

    def __call__(self, id):
        outer = self

        class One:
            def check(self, answer):
                outer.handed[id] = answer(1) if callable(answer) else str(answer)

        return One()


def answers(cells):
    """What the checks are handed; a cell that fails does not stop the others."""
    checks = Checks()
    names = {"exercise": checks}
    for cell in cells:
        with contextlib.suppress(Exception):
            exec(compile(cell.source, "<cell>", "exec"), names)
    return checks.handed


def notebook(*sources):
    return tuple(Cell(number, source) for number, source in enumerate(sources, start=1))


def same(cells, book=frozenset()):
    plan = needed(cells, book)
    assert answers(plan.cells) == answers(cells)
    return plan


CHECK = "exercise('a').check(x)"
TRICKY = {
    "a value": ["x = 3", "y = 4", CHECK],
    "bound twice": ["x = 3", "x = 4", CHECK, "x = 5"],
    "changed in place": ["x = [1]", "x.append(2)", CHECK],
    "changed by a function": ["x = [1]", "def grow(it): it.append(2)", "grow(x)", CHECK],
    "changed by a function without arguments": ["x = [1]\ndef grow(): x.append(2)", "grow()", CHECK],
    "changed through two functions": [
        "x = [1]\ndef inner(): x.append(2)\ndef outer(): inner()", "outer()", CHECK,
    ],
    "declared global": ["def make():\n    global x\n    x = 7", "make()", CHECK],
    "changed by another name": ["x = [1]", "y = x", "y.append(2)", CHECK],
    "a part is set": ["x = {}", "x['k'] = 1", "del x['k']", "x['l'] = 2", CHECK],
    "added to": ["x = 1", "x += 1", "x -= 5", CHECK],
    "a tuple": ["x, y = 1, 2", "x, y = y, x", CHECK],
    "in a loop": ["x = 0", "for i in range(3):\n    x = x + i", CHECK],
    "only perhaps": ["x = 0", "if x == 0:\n    x = 5", CHECK],
    "after a failure": ["x = 1\n1 / 0\nx = 2", CHECK],
    "in a failing cell": ["x = 1", "x = 2; 1 / 0", CHECK],
    "an import": ["import math", "x = math.sqrt(4)", CHECK],
    "an import that is bound again": ["import math", "class math:\n    pi = 3", "x = math.pi", CHECK],
    "a function's helper, written later": [
        "def x(n): return helper(n)", "def helper(n): return n + 1", CHECK,
    ],
    "a function's helper, written anew": [
        "def helper(n): return n", "def x(n): return helper(n)", "y = x(1)",
        "def helper(n): return n + 1", CHECK, "exercise('b').check(y)",
    ],
    "a default": ["n = 3", "def x(_, n=n): return n", "n = 4", CHECK],
    "a decorator": [
        "def twice(f):\n    return lambda n: 2 * f(n)", "@twice\ndef x(n): return n", CHECK,
    ],
    "a class": ["class P:\n    k = 3\n    def __init__(self): self.k += 1", "x = P().k", CHECK],
    "a class that is changed": ["class P:\n    k = 3", "P.k = 4", "x = P.k", CHECK],
    "a module that is changed": ["import math", "math.tau = 1", "x = math.tau", CHECK],
    "a module that a function changes": [
        "import math\ndef patch():\n    math.tau = 2", "patch()", "x = math.tau", CHECK,
    ],
    "a module that setattr changes": ["import math", "setattr(math, 'tau', 3)", "x = math.tau", CHECK],
    "a star": ["from math import *", "pi = 3", "x = pi", CHECK],
    "a star that hides": ["pi = 3", "from math import *", "x = pi", CHECK],
    "a comprehension": ["n = 3", "x = [n * i for i in range(n)]", CHECK],
    "a walrus": ["y = [x := 4]", CHECK],
    "text": ["exec('x = 5')", CHECK],
    "text, hidden": ["def f():\n    exec('x = 5', globals())", "f()", CHECK],
    "globals": ["globals()['x'] = 5", CHECK],
    "globals, read": ["y = 5", "x = globals()['y']", CHECK],
    "the own check": ["def submit(a): exercise('a').check(a)", "x = 1", "submit(x)"],
    "the own check, bound": ["c = exercise('a').check", "x = [1]", "x.append(2)", "c(x)"],
    "a check by its name's text": ["x = 1", "getattr(exercise('a'), 'check')(x)"],
    "a loop over checks": ["x = 1", "for id in 'ab':\n    exercise(id).check(x)"],
    "try": ["try:\n    x = int('x')\nexcept ValueError:\n    x = 8", CHECK],
    "with": ["import contextlib", "with contextlib.nullcontext(9) as x:\n    pass", CHECK],
    "deleted": ["x = 1", "del x", CHECK],
    "no Python": ["x = 1", "x = = 2", CHECK],
    "a shadowed builtin": ["sum = 3", "x = sum", CHECK],
    "a builtin": ["x = sum([1, 2])", CHECK],
    "nothing": [CHECK],
}  # fmt: skip


@pytest.mark.parametrize("sources", TRICKY.values(), ids=TRICKY)
def test_a_part_gives_what_the_whole_gives(sources):
    cells = notebook(*sources)
    same(cells)
    if "1 / 0" not in "".join(sources):  # the book's cells do not fail
        same(cells, frozenset(sources))


STATEMENTS = (
    "{a} = {n}", "{a} = [{n}]", "{a} = {b}", "{a} = [{b}, {c}]", "{a} += {b}", "{a}.append({n})",
    "{a} = f{n}({b})", "f{n}({a})", "g{n}()", "def f{n}(it): it.append({a}); return it",
    "def f{n}({a}): return {a}", "def g{n}(): {a}.append({b})",
    "def g{n}():\n    global {a}\n    {a} = {b}", "if {a}:\n    {b} = {c}",
    "for {a} in {b}:\n    {c} = {a}", "del {a}", "class {a}:\n    k = {b}", "{a}.k = {n}",
    "exercise('{n}').check({a})", "exercise('{n}').check(lambda _: str({a}))",
    "{a} = [{b} for {b} in {c}]", "try:\n    {a} = f{n}({b})\nfinally:\n    {b} = {n}",
)  # fmt: skip


BEGINNING = (
    "p = [1]\nq = [2]\nr = [3]\ns = 4",
    "def f0(it): it.append(5); return it\ndef f1(p): return p\ndef f2(it): return [it, q]",
    "def g0(): p.append(q)\ndef g1():\n    global r\n    r = s\ndef g2(): q.append(6)",
)


def test_a_part_gives_what_the_whole_gives_of_any_notebook():
    left_out = checked = 0
    for seed in range(200):
        draw = random.Random(seed)

        def line(draw=draw):
            a, b, c = (draw.choice("pqrs") for _ in range(3))
            return draw.choice(STATEMENTS).format(a=a, b=b, c=c, n=draw.randrange(3))

        drawn = ["\n".join(line() for _ in range(draw.randint(1, 2))) for _ in range(12)]
        cells = notebook(*BEGINNING, *drawn)
        plan = same(cells)
        left_out += len(cells) - len(plan.cells)
        checked += len(answers(cells))
    assert left_out > 500 and checked > 150  # else nothing was compared


def test_what_no_answer_needs_is_left_out():
    cells = notebook(
        "import torch\nimport heavy\nfrom far import away",
        "model = train(torch)",
        "%matplotlib inline\n!ls",
        "def soften(z): return torch.softmax(z, -1)\nprint(model)",
        "# exercise: soften\nexercise('soften').check(soften)",
        "model = train(model)",
    )
    plan = needed(cells, frozenset(cell.source for cell in cells))
    assert plan.whole == ""
    kept = {cell.number: cell.source for cell in plan.cells}
    soften = cells[3].source.splitlines()[0]
    assert kept == {1: "import torch", 4: soften, 5: cells[4].source}
    # Of a cell that is not the book's, nothing is left out: its failure may be what counts.
    assert [cell.number for cell in needed(cells).cells] == [1, 2, 4, 5]


def test_a_notebook_without_a_check_runs_nothing():
    assert needed(notebook("x = 1", "while True: pass")).cells == ()


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("eval('1')", "eval"),
        ("%run other.py", "%run"),
        ("%time x = 1", "%time"),
        ("x = Out[2]", "Out"),
        ("x = _3", "_3"),
        ("x = open('numbers.txt').read()", "open"),
        ("import torch\nx = torch.rand(3)", "rand"),
        ("import importlib\nimportlib.import_module('x')", "import_module"),
    ],
)
def test_in_doubt_the_whole_notebook_runs(source, why):
    cells = notebook("heavy = 1", source, CHECK)
    plan = needed(cells)
    assert plan.cells == cells and plan.whole == f"cell 2 uses {why}"


@pytest.mark.parametrize(
    "source",
    [
        "%%time\nx = 3",
        "import torch\ny = torch.rand(3)",  # which no answer needs
        "import torch\ndef x(n): return torch.rand(n)",  # a check seeds what it calls
        "import torch\nx = torch.rand(3, generator=dice)",
        "model.eval()\nx = 1",
        "import re\nre.compile('x')\nx = 1",
    ],
)
def test_what_is_no_doubt(source):
    plan = needed(notebook("heavy = 1", source, CHECK))
    assert plan.whole == "" and plan.cells[-1].source == CHECK
