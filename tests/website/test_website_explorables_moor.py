"""The walk over the moor is chapter 9's, exactly; and it obeys a hand and the keys."""

import json
import math

import contents
import pytest
import torch
from chapter_code import defined
from explorable_page import number
from website import moor_walk
from website.assemble import HERE

from kdlib.losses.divergences import forward_kl
from kdlib.toys.crowds import visits

pytestmark = pytest.mark.slow

BOUND = 1e-12
SETTINGS = moor_walk.EXPLORABLE.settings
CHAPTER = defined(
    9, "ROAD", "MOOR", "moor_walk", "world", "guide", "SEEDS", "LENGTH", "per_word", "on_the_moor",
    "knows_all",
)  # fmt: skip
GUIDE, LENGTH, FIRST = CHAPTER["guide"], CHAPTER["LENGTH"], 1 + len(CHAPTER["ROAD"])


@pytest.fixture(scope="module")
def js(browser):
    page = browser.new_page()
    for name in ("figure", "dials", "moor", "moor_walk"):
        page.add_script_tag(path=HERE / "static" / "explorables" / f"{name}.js")
    yield lambda script, argument=None: page.evaluate(script, argument)
    page.close()


def student(slip, knows):
    """Log-rows of the figure's student, from the chapter's guide."""
    even = torch.full_like(GUIDE, 1 / len(GUIDE))
    learned = GUIDE.exp()
    learned[FIRST:] = knows * learned[FIRST:] + (1 - knows) * even[FIRST:]
    return ((1 - slip) * learned + slip * even).log()


def near(ours, theirs):
    ours = torch.tensor(ours, dtype=torch.float64)
    same = ours == theirs
    return (same | ((ours - theirs).abs() <= BOUND * theirs.abs().clamp(min=1e-2))).all()


# ---------------------------------------------------------------- the functions


def test_the_guide_and_the_student_that_knows_all_are_the_chapters(js):
    guide = js("(s) => Explorables.guideRows(s)", SETTINGS)
    assert near(guide, GUIDE.exp())
    script = "([g, first, slip, knows]) => Explorables.studentRows(g, first, slip, knows)"
    assert near(js(script, [guide, FIRST, 0.02, 1]), CHAPTER["knows_all"].exp())
    assert SETTINGS["start"]["slip"] == 0.02 and SETTINGS["length"] == LENGTH
    for slip in (0, 0.02, 0.2, 1):
        for knows in (0, 0.3, 1):
            assert near(js(script, [guide, FIRST, slip, knows]), student(slip, knows).exp())


def test_visits_are_kdlibs(js):
    """Of 300 random languages, some words of which never follow."""
    draw = torch.Generator().manual_seed(0)
    cases = []
    for case in range(300):
        size = 2 + case % 20
        logits = torch.randn(size, size, generator=draw, dtype=torch.float64)
        out = torch.rand(size, size, generator=draw) < 0.3
        out[:, case % size] = False
        cases.append((logits.masked_fill(out, -math.inf).log_softmax(-1), 1 + case % 17))
    script = "(cases) => cases.map(([rows, length]) => Explorables.visits(rows, length))"
    found = js(script, [(rows.exp().tolist(), length) for rows, length in cases])
    for (rows, length), ours in zip(cases, found):
        assert near(ours, visits(rows, length))


def test_losses_and_shares_are_the_chapters(js):
    script = """([guide, first, slip, knows, length]) => {
        const rows = Explorables.studentRows(guide, first, slip, knows);
        return [guide, rows].map((writer) => Explorables.perWord(guide, rows, writer, length))
            .concat(Explorables.moorShare(rows, first, length)); }"""
    for slip in SETTINGS["stops"]["slip"][1::8]:
        for knows in (0.0, 0.35, 1.0):
            rows = student(slip, knows)
            given = CHAPTER["per_word"](GUIDE, rows, GUIDE)[0]
            own = CHAPTER["per_word"](GUIDE, rows, rows)[0]
            moor = CHAPTER["on_the_moor"](rows)
            found = js(script, [GUIDE.exp().tolist(), FIRST, slip, knows, LENGTH])
            assert near(found, torch.stack([given, own, moor]))


def test_a_loss_can_be_infinite_and_what_is_never_met_costs_nothing(js):
    rows = [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 1, 0]]
    never = [[0.5, 0.5, 0], [0.5, 0.5, 0], [1, 0, 0]]
    sure = [[0, 1, 0], [0, 1, 0], [0, 1, 0]]
    script = "([p, q, w]) => Explorables.perWord(p, q, w, 5)"
    assert js(script, [rows, never, rows]) == 0
    assert js(script, [rows, sure, rows]) == math.inf
    p = torch.tensor(rows[:1], dtype=torch.float64).log()
    assert forward_kl(p, torch.tensor(sure[:1], dtype=torch.float64).log()).item() == math.inf


def test_the_first_table_of_the_chapter_is_on_its_dial(js):
    """The row "knows all" of its output, to the digits that stand there."""
    source = next(s for s in contents.sources() if s.name.startswith("09_"))
    notebook = json.loads(source.with_suffix(".ipynb").read_text("utf-8"))
    outputs = [o for cell in notebook["cells"] for o in cell.get("outputs", [])]
    texts = ["".join(o.get("data", {}).get("text/plain", "")) for o in outputs]
    (row,) = [line for text in texts for line in text.splitlines() if line.startswith("knows all")]
    script = """([g, first, length]) => { const rows = Explorables.studentRows(g, first, 0.02, 1);
        return [g, rows].map((writer) => Explorables.perWord(g, rows, writer, length))
            .concat(Explorables.moorShare(rows, first, length)); }"""
    found = js(script, [GUIDE.exp().tolist(), FIRST, LENGTH])
    assert [f"{value:.2f}" for value in found] == row.split()[2:]


def off_road_of(js, slip, knows):
    script = """([g, first, slip, knows, length]) => {
        const rows = Explorables.studentRows(g, first, slip, knows);
        return [Explorables.offRoad(rows, first, length), Explorables.leaving(rows, first)]; }"""
    return js(script, [GUIDE.exp().tolist(), FIRST, slip, knows, LENGTH])


def test_who_knows_all_ways_back_follows_the_closed_form_of_two_states(js):
    """a of those on the road leave it, b of those off it come back: a/(a+b) (1 - (1-a-b)^t)."""
    for slip in (0.005, 0.02, 0.2):
        shares, a = off_road_of(js, slip, 1)
        end = student(slip, 1).exp()[1, 0].item()  # everywhere the same
        back = student(slip, 1).exp()[FIRST, 1:FIRST].sum().item() / (1 - end)
        for t, share in enumerate(shares):
            expected = a / (a + back) * (1 - (1 - a - back) ** t)
            assert share == pytest.approx(expected, rel=1e-11, abs=1e-15)


def test_what_never_comes_back_is_a_bound_that_is_met_at_the_first_step(js):
    for slip in SETTINGS["stops"]["slip"][1::10]:
        for knows in (0, 0.5, 1):
            shares, e = off_road_of(js, slip, knows)
            bound = js("([e, n]) => Array.from({length: n}, (_, t) => Explorables.neverBack(e, t))",
                       [e, LENGTH])  # fmt: skip
            assert shares[1] == pytest.approx(bound[1], rel=1e-12)
            assert all(share < most for share, most in zip(shares[2:], bound[2:]))
            assert bound == pytest.approx([1 - (1 - e) ** t for t in range(LENGTH)], rel=1e-12)


def test_the_still_picture_draws_the_same_shares(js):
    for knows in (0.0, 0.5, 1.0):
        shares, _ = off_road_of(js, 0.02, knows)
        assert moor_walk.off_road(0.02, knows) == pytest.approx(shares, rel=1e-11, abs=1e-15)


def test_the_next_place_is_found_in_the_cumulated_probabilities(js):
    draw = torch.Generator().manual_seed(3)
    cases, expected = [], []
    for case in range(300):
        p = torch.rand(2 + case % 22, generator=draw, dtype=torch.float64)
        p = p * (torch.rand(len(p), generator=draw) < 0.7)
        p[case % len(p)] += 0.1
        row = (p / p.sum()).tolist()
        u = (0.0, 1 - 2**-32, torch.rand(1, generator=draw).item())[case % 3]
        total, place = 0.0, None
        for i, each in enumerate(row):
            total += each
            if place is None and u < total:
                place = i
        last = max(i for i, each in enumerate(row) if each > 0)
        expected.append(last if place is None else place)
        cases.append((row, u))
    assert js("(cases) => cases.map((c) => Explorables.nextPlace(...c))", cases) == expected
    assert all(row[place] > 0 for (row, _), place in zip(cases, expected))


def test_dice_are_even_and_the_same_for_the_same_seed(js):
    script = "(seed) => { const draw = Explorables.dice(seed); return Array.from({length: 20000}, draw); }"
    one, again, other = js(script, 1), js(script, 1), js(script, 2)
    assert one == again != other and 0 <= min(one) and max(one) < 1
    counts = torch.histc(torch.tensor(one), 20, 0, 1)
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi-square, 19 degrees, p = 0.001


def test_walks_are_where_the_theory_says(js):
    """20,000 walks, at each step within four standard errors of the exact share."""
    rows = student(0.1, 0.3)
    script = """([rows, length, many]) => { const draw = Explorables.dice(7);
        return Array.from({length: many}, () => Explorables.walk(rows, length, draw)); }"""
    walks = js(script, [rows.exp().tolist(), LENGTH, 20_000])
    shares, _ = off_road_of(js, 0.1, 0.3)
    assert all(walk[0] == 0 and 0 not in walk[1:] and len(walk) <= LENGTH for walk in walks)
    for t in range(1, LENGTH):
        going = [walk[t] for walk in walks if len(walk) > t]
        seen = sum(place >= FIRST for place in going) / len(going)
        error = (shares[t] * (1 - shares[t]) / len(going)) ** 0.5
        assert abs(seen - shares[t]) < 4 * error


# ---------------------------------------------------------------- under a hand


SLIPS, KNOWS = "slips", "knows the ways back"


def agrees(figure):
    """All numbers of the figure belong to its student and its walks; -> its state."""
    state = figure.state
    rows = student(state["slip"], state["knows"])
    given = CHAPTER["per_word"](GUIDE, rows, GUIDE)[0].item()
    own = CHAPTER["per_word"](GUIDE, rows, rows)[0].item()
    moor = CHAPTER["on_the_moor"](rows).item()
    walked = sum(each["walks"] for each in state["seen"])
    lost = sum(each["lost"] for each in state["seen"])
    assert figure.texts(".numbers b") == [
        number(given), number(own), number(own - given), f"{100 * moor:.1f} %",
        f"{math.floor(1000 * lost / walked + 0.5) / 10} %" if walked else "–",  # a half goes up
    ]  # fmt: skip
    return state


def walk(figure):
    figure.part.get_by_role("button", name="Walk", exact=True).click()


def test_the_dials_are_dragged_and_obey_the_keys(alone):
    figure = alone("moor_walk")
    assert agrees(figure)["slip"] == 0.02
    track = figure.part.locator(".track").first.bounding_box()["width"]
    figure.drag(SLIPS, 10 * track / 40, 0)
    assert agrees(figure)["slip"] == pytest.approx(0.07)
    figure.drag(KNOWS, track / 2, 0)
    assert agrees(figure)["knows"] == pytest.approx(0.5)
    figure.keys(SLIPS, "ArrowRight", "PageUp", "ArrowDown")
    assert agrees(figure)["slip"] == pytest.approx(0.12)
    assert figure.keys(KNOWS, "End") == "100 %"
    assert agrees(figure)["knows"] == 1
    assert figure.keys(SLIPS, "Home") == "0.0 %"
    agrees(figure)


def test_a_walk_goes_step_by_step_and_says_where_it_is(alone):
    figure = alone("moor_walk")
    names = [".", *CHAPTER["ROAD"], *CHAPTER["MOOR"]]
    figure.keys(SLIPS, "End")  # it slips often
    moors = 0
    for _ in range(60):
        figure.press("A step")
        state, said = agrees(figure), figure.texts("output")[0]
        here = state["walk"][-1]
        if state["ended"]:
            off = sum(place >= FIRST for place in state["walk"])
            assert f"after {len(state['walk']) - 1} steps; {off} of them" in said
        elif here >= FIRST:
            moors += 1
            back = names[GUIDE[here].argmax()]
            assert f"In the {names[here]}, off the road." in said and f"to the {back}." in said
        else:
            assert said == f"At the {names[here]}, on the road."
    assert moors > 5
    told = figure.part.locator(".stage svg[role=img]").first.get_attribute("aria-label")
    assert figure.state["walk"] == [0] or names[figure.state["walk"][-1]] in told


def test_a_walk_can_be_watched_and_stopped(alone):
    figure = alone("moor_walk")
    walk(figure)
    figure.page.wait_for_function(
        "(part) => JSON.parse(part.querySelector('.stage').dataset.state).walk.length > 2",
        arg=figure.part.element_handle(),
    )
    figure.press("Stop")
    here = figure.state["walk"]
    figure.page.wait_for_timeout(900)
    assert figure.state["walk"] == here
    agrees(figure)


def test_who_wants_no_motion_gets_the_walk_at_once(alone):
    figure = alone("moor_walk")
    figure.page.emulate_media(reduced_motion="reduce")
    walk(figure)
    assert agrees(figure)["ended"]
    assert figure.texts("output")[0].startswith("The walk ends")


def test_many_walks_are_counted_and_another_student_begins_anew(alone):
    figure = alone("moor_walk")
    for rounds in (1, 2):
        figure.press("200 walks")
        seen = agrees(figure)["seen"]
        assert seen[0] == {"walks": 200 * rounds, "lost": 0}
        assert all(a["walks"] >= b["walks"] for a, b in zip(seen, seen[1:]))
    figure.keys(KNOWS, "ArrowRight")
    assert sum(each["walks"] for each in agrees(figure)["seen"]) == 0
