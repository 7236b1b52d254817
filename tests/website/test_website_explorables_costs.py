"""The cost calculator is kdlib.bench.costs, case by case; and it obeys a hand and the keys."""

import dataclasses
import math
import random
import re

import pytest
from chapter_code import defined
from website import cost_calculator
from website.assemble import HERE

from kdlib.bench import costs
from kdlib.bench.costs import Assumptions, Llama

pytestmark = pytest.mark.slow

BOUND = 1e-12
SETTINGS = cost_calculator.EXPLORABLE.settings
WAYS = tuple(costs.bytes_per_token(Assumptions()))


@pytest.fixture(scope="module")
def js(browser):
    page = browser.new_page()
    for name in ("figure", "dials", "costs", "cost_calculator"):
        page.add_script_tag(path=HERE / "static" / "explorables" / f"{name}.js")
    yield lambda script, argument=None: page.evaluate(script, argument)
    page.close()


def a_shape(dice):
    heads = dice.choice([1, 2, 8, 32])
    return Llama(
        dice.choice([64, 320, 8192]), dice.randint(1, 90), heads, dice.choice([1, heads]),
        dice.randint(1, 30_000), dice.choice([2, 4096, 128_256]), dice.choice([1, 64, 128]),
        dice.random() < 0.5,
    )  # fmt: skip


def plans(number=300):
    """Assumptions of all sizes; some numbers are 0, and so is the price of an hour at times."""
    dice = random.Random(0)
    for _ in range(number):
        changed = {
            field.name: getattr(Assumptions(), field.name) * 10 ** dice.uniform(-3, 3)
            for field in dataclasses.fields(Assumptions)
            if field.metadata
        }
        for name in ("gpu_hour", "terabyte_month", "kept", "drawn_bytes", "tokens"):
            if dice.random() < 0.15:
                changed[name] = 0
        yield Assumptions(a_shape(dice), a_shape(dice), **changed)


def test_a_models_parameters_and_operations_are_kdlibs(js):
    dice = random.Random(1)
    cases = [(a_shape(dice), dice.randint(1, 9000), dice.choice([0, 0.5, 1])) for _ in range(300)]
    script = """(cases) => cases.map(([shape, context, attended]) => [Explorables.parameters(shape),
        Explorables.forwardFlops(shape, context, attended),
        Explorables.trainingFlops(shape, context, attended)])"""
    found = js(script, [(dataclasses.asdict(shape), *rest) for shape, *rest in cases])
    for (shape, context, attended), ours in zip(cases, found):
        forward = shape.forward_flops(context, attended)
        training = shape.training_flops(context, attended)
        assert ours == pytest.approx([shape.parameters, forward, training], rel=BOUND)


def test_every_bill_is_kdlibs(js):
    cases = list(plans())
    script = """(cases) => cases.map((a) => [Explorables.bills(a), Explorables.CACHES.map((name) =>
        { const pays = Explorables.passesThatPay(a, name);
          return pays === Infinity ? "never" : pays; })])"""
    found = js(script, [dataclasses.asdict(case) for case in cases])
    never = 0
    for plan, (ours, pays) in zip(cases, found):
        theirs = costs.bills(plan)
        assert tuple(ours) == tuple(theirs) == WAYS
        for name, bill in theirs.items():
            mine = ours[name]
            assert [
                mine["bytesPerToken"], mine["storedBytes"], mine["teacherHours"],
                mine["studentHours"], mine["dollars"],
            ] == pytest.approx([
                bill.bytes_per_token, bill.stored_bytes, bill.teacher_hours, bill.student_hours,
                bill.dollars,
            ], rel=BOUND)  # fmt: skip
            hours = plan.gpu_hour * (mine["teacherHours"] + mine["studentHours"])
            assert mine["storage"] + hours == pytest.approx(mine["dollars"], rel=BOUND)
        for name, mine in zip(costs.CACHES, pays):
            expected = costs.passes_that_pay(plan, name)
            never += math.isinf(expected)
            if mine == "never" or math.isinf(expected):
                assert mine == "never" and math.isinf(expected)
            else:
                # What is saved is a difference of two large sums.
                assert mine == pytest.approx(expected, rel=1e-6)
    assert never > 50


def test_the_plan_is_the_appendix_and_the_small_models_are_the_chapters():
    chapter = defined(8, "plan", "shape", "small")
    assert cost_calculator.PLAN == chapter["plan"]
    assert cost_calculator.MODELS["this book's teacher"] == chapter["shape"]
    assert cost_calculator.MODELS["its student"] == chapter["small"]
    plan = SETTINGS["plan"] | {"vocabulary": cost_calculator.PLAN.teacher.vocabulary}
    assert cost_calculator.PLAN.teacher == cost_calculator.MODELS[cost_calculator.TEACHER]
    assert cost_calculator.PLAN.student == cost_calculator.MODELS[cost_calculator.STUDENT]
    for key, stops in cost_calculator.STOPS.items():
        assert plan[key] in stops and sorted(stops) == stops


def test_every_models_vocabulary_is_a_stop():
    for shape in cost_calculator.MODELS.values():
        assert shape.vocabulary in cost_calculator.STOPS["vocabulary"]


@pytest.mark.parametrize(
    ("value", "few", "counted", "stored"),
    [
        (0, "0", "0", "0 B"), (0.0004, "<0.001", "0.0004", "0.0004 B"), (0.25, "0.250", "0.25", "0.25 B"),
        (76.94, "76.9", "76.9", "76.9 B"), (218_240, "218,240", "218 thousand", "218 kB"),
        (999.9, "1,000", "1 thousand", "1 kB"), (2.5651e17, None, "257000 trillion", "257 PB"),
    ],
)  # fmt: skip
def test_numbers_have_as_many_digits_as_an_eye_takes_in(js, value, few, counted, stored):
    script = "(v) => [Explorables.few(v), Explorables.counted(v), Explorables.bytes(v)]"
    found = js(script, value)
    assert found[1:] == [counted, stored]
    assert few is None or found[0] == few
    assert js("() => Explorables.few(Infinity)") == "∞"


# ---------------------------------------------------------------- under a hand


def few(value):
    if value == 0:
        return "0"
    if value >= 100:
        return f"{value:,.0f}"
    return "<0.001" if value < 0.001 else f"{value:.{3 if value < 1 else 1}f}"


def agrees(figure):
    """The table holds kdlib's bills of what the dials say; -> the figure's state."""
    state = figure.state
    fields = {field.name for field in dataclasses.fields(Assumptions)}
    shapes = {
        who: dataclasses.replace(cost_calculator.MODELS[name], vocabulary=state["vocabulary"])
        for who, name in state["chosen"].items()
    }
    plan = Assumptions(**{name: state[name] for name in state if name in fields}, **shapes)
    rows = figure.part.locator(".ledger tbody tr").all()
    assert len(rows) == len(WAYS)
    for row, (name, bill) in zip(rows, costs.bills(plan).items()):
        cells = row.locator("th, td").all_text_contents()
        pays = costs.passes_that_pay(plan, name) if name in costs.CACHES else None
        expected = {
            0: name, 1: few(bill.bytes_per_token), 3: few(bill.teacher_hours),
            4: few(bill.student_hours), 5: few(bill.dollars),
            6: "–" if pays is None else "never" if math.isinf(pays) else few(pays),
        }  # fmt: skip
        assert {place: cells[place] for place in expected} == expected
        amount, unit = cells[2].split()
        power = ["B", "kB", "MB", "GB", "TB", "PB", "EB"].index(unit)
        assert float(amount) * 1000**power == pytest.approx(bill.stored_bytes, rel=5e-3)
    taught = {
        name: bill.dollars for name, bill in costs.bills(plan).items() if name != "no teacher"
    }
    assert figure.texts(".numbers b")[2] == min(taught, key=taught.get)
    return state


DIALS = {name: cost_calculator.NAMES[name] for name in cost_calculator.STOPS}


def test_it_begins_with_the_appendix(alone):
    figure = alone("cost_calculator")
    state = agrees(figure)
    assert state["tokens"] == 1e12 and state["passes"] == 1
    assert figure.texts(".numbers b")[:2] == ["70.6 billion", "1.24 billion"]


@pytest.mark.parametrize("key", DIALS)
def test_each_dial_is_dragged_and_obeys_the_keys(alone, key):
    figure, stops = alone("cost_calculator"), cost_calculator.STOPS[key]
    label, at = DIALS[key], stops.index(agrees(figure)[key])
    track = figure.part.locator(f'svg[aria-label="{label}"] .track').bounding_box()["width"]
    to = at - 2 if at > 2 else at + 2
    figure.drag(label, (to - at) * track / (len(stops) - 1), 0)
    assert agrees(figure)[key] == stops[to]
    figure.drag(label, -3000, 0)
    assert agrees(figure)[key] == stops[0]
    figure.keys(label, "ArrowRight", "ArrowUp", "ArrowLeft")
    assert agrees(figure)[key] == stops[1]
    figure.keys(label, "PageUp")
    assert agrees(figure)[key] == stops[min(11, len(stops) - 1)]
    said = figure.keys(label, "End")
    assert agrees(figure)[key] == stops[-1]
    assert said and said in figure.texts(f'svg[aria-label="{label}"] .of-student')
    figure.keys(label, "Home")
    assert agrees(figure)[key] == stops[0]


def test_models_are_chosen_and_a_teacher_brings_its_vocabulary(alone):
    figure = alone("cost_calculator")
    teacher, student = figure.part.locator("select").all()
    for name, shape in cost_calculator.MODELS.items():
        teacher.select_option(name)
        assert agrees(figure)["vocabulary"] == shape.vocabulary
        student.select_option(name)
        agrees(figure)
    assert set(figure.state["chosen"].values()) == {"its student"}
    figure.press("Back to the appendix")
    state = agrees(figure)
    assert state["chosen"] == {
        "teacher": cost_calculator.TEACHER,
        "student": cost_calculator.STUDENT,
    }
    assert state["vocabulary"] == 128_256


def test_bars_beyond_three_times_the_teacher_beside_are_cut_and_say_their_dollars(alone):
    figure = alone("cost_calculator")
    assert figure.part.locator("path.cut").count() == 2  # dense logits and hidden states
    told = figure.part.locator(".stage svg[role=img]").get_attribute("aria-label")
    assert re.search(r"no teacher 15\.5 thousand, teacher beside 218 thousand", told)
    figure.keys(DIALS["gpu_hour"], "Home")
    figure.keys(DIALS["terabyte_month"], "Home")
    agrees(figure)  # nothing costs anything, and nothing breaks
    assert "NaN" not in figure.part.locator(".stage svg[role=img]").inner_html()
