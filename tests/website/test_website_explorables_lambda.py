"""The lambda map is chapter 6's: its functions, its diary; and it obeys a hand and the keys."""

import math

import pytest
import torch
from chapter_code import defined
from explorable_page import number
from website import lambda_map
from website.assemble import HERE

from kdlib.losses.closed_forms import best_student
from kdlib.losses.divergences import forward_kl
from kdlib.toys.worlds import confused, label_noise, mix

pytestmark = pytest.mark.slow

BOUND = 1e-12
CHAPTER = defined(
    6, "world", "V", "visits", "UNIFORM", "distance", "noisy_rows", "SHARES", "mixtures", "scatter",
    "RATES", "BIASES",
)  # fmt: skip
WORLD, SHARES = CHAPTER["world"], CHAPTER["SHARES"]


@pytest.fixture(scope="module")
def js(browser):
    page = browser.new_page()
    for name in ("figure", "lambda_map"):
        page.add_script_tag(path=HERE / "static" / "explorables" / f"{name}.js")
    yield lambda script, argument=None: page.evaluate(script, argument)
    page.close()


def near(ours, theirs):
    ours, theirs = (torch.tensor(each, dtype=torch.float64) for each in (ours, theirs))
    same = ours == theirs  # infinities too
    off = (ours - theirs).abs() / theirs.abs().clamp(min=1e-2)
    assert not ours.isnan().any()
    return (same | (off <= BOUND)).all()


def rows_of(draw, shape, zeros=0.3):
    """Random distributions, some words impossible, but never all."""
    logits = 2 * torch.randn(shape, generator=draw, dtype=torch.float64)
    out = torch.rand(shape, generator=draw) < zeros
    out[..., 0] = False
    return logits.masked_fill(out, -math.inf).softmax(-1)


# ---------------------------------------------------------------- the functions


def test_the_closed_form_is_kdlibs(js):
    draw = torch.Generator().manual_seed(0)
    cases = []
    for case in range(300):
        label, p = rows_of(draw, (2, 2 + case % 20))
        lambda_ = (0, 0.01, 0.5, 1, 3.7, 100, 1e9)[case % 7]
        cases.append((label.tolist(), p.tolist(), lambda_))
    found = js("(cases) => cases.map((c) => Explorables.bestStudent(...c))", cases)
    for (label, p, lambda_), ours in zip(cases, found):
        label, p = torch.tensor([label, p], dtype=torch.float64)
        assert near(ours, best_student(label, p, lambda_).tolist())
    label, p, _ = cases[5]  # lambda without end
    limit = js("([l, p]) => Explorables.bestStudent(l, p, Infinity)", [label, p])
    assert limit == p


def test_lambda_and_its_share_belong_together(js):
    shares = [0, 0.01, 0.25, 0.5, 0.99, 1]
    script = "(shares) => shares.map((s) => Explorables.shareOf(Explorables.lambdaOf(s)))"
    assert js(script, shares) == pytest.approx(shares, rel=1e-14)
    assert js("() => Explorables.lambdaOf(1)") == math.inf


def test_noise_and_teachers_error_are_kdlibs(js):
    draw = torch.Generator().manual_seed(1)
    cases = []
    for case in range(300):
        size = 2 + case % 9
        strength = (0, 0.05, 0.3, 0.9, 1)[case % 5]
        cases.append((rows_of(draw, (size, size)).tolist(), strength))
    script = """(cases) => cases.map(([rows, x]) =>
        [Explorables.noisyRows(rows, x), Explorables.biasedRows(rows, x)])"""
    for (rows, strength), (noisy, biased) in zip(cases, js(script, cases)):
        log_p = torch.tensor(rows, dtype=torch.float64).log()
        assert near(noisy, label_noise(log_p, strength).exp().tolist())
        assert near(biased, mix(log_p, confused(log_p), strength).exp().tolist())


def test_the_harm_is_the_kl_from_the_truth_also_where_it_is_infinite(js):
    draw = torch.Generator().manual_seed(2)
    cases, expected = [], []
    for case in range(300):
        size = 2 + case % 9
        truth, labels, teacher = rows_of(draw, (3, size, size))
        visits = torch.rand(size, generator=draw, dtype=torch.float64) + 0.01
        share = (0, 0.3, 1, 0.99)[case % 4]
        q = (1 - share) * labels + share * teacher
        expected.append((visits * forward_kl(truth.log(), q.log())).sum().item())
        world = {"visits": visits.tolist(), "rows": truth.tolist()}
        cases.append((world, labels.tolist(), teacher.tolist(), share))
    found = js("(cases) => cases.map((c) => Explorables.harm(...c))", cases)
    assert near(found, expected)
    assert 20 < sum(map(math.isinf, expected)) < 280


def test_each_place_is_the_chapters(js):
    """Its 25 places and the corners, for labels without end and for 300 entries, at each share."""
    settings = lambda_map.EXPLORABLE.settings
    script = """([world, noise, error, entries]) => Explorables.harms(world,
        Explorables.noisyRows(world.rows, noise), Explorables.biasedRows(world.rows, error), entries)"""
    assert torch.allclose(torch.tensor(settings["visits"]).double(), CHAPTER["visits"])
    for rate in (*CHAPTER["RATES"], 0.5):
        for strength in (0.0, *CHAPTER["BIASES"], 0.5):
            labels = CHAPTER["noisy_rows"](rate)
            teacher = WORLD.with_bias(strength).log_rows().exp()
            alone = CHAPTER["distance"](CHAPTER["mixtures"](labels, teacher))
            for entries in settings["entries"].values():
                more = CHAPTER["scatter"](labels, teacher, entries) if entries else 0
                found = js(script, [settings, rate, strength, entries])
                assert near(found, (alone + more).tolist())
                best = js("(losses) => Explorables.bestOf(losses)", found)
                if best["level"]:
                    assert rate == strength == 0 and not entries
                else:
                    assert best["share"] == pytest.approx(SHARES[(alone + more).argmin()].item())


def test_the_still_picture_is_the_map_of_the_chapter():
    picture = lambda_map.EXPLORABLE.still()
    written = [text.get_text() for text in picture.axes[0].texts]
    teachers = [WORLD.with_bias(b).log_rows().exp() for b in CHAPTER["BIASES"]]
    assert tuple(CHAPTER["RATES"]) == lambda_map.STILL
    for rate in CHAPTER["RATES"]:
        labels = CHAPTER["noisy_rows"](rate)
        for teacher in teachers:
            harm = CHAPTER["distance"](CHAPTER["mixtures"](labels, teacher))
            assert written.pop(0) == f"{SHARES[harm.argmin()].item():.2f}"


# ---------------------------------------------------------------- under a hand


MAP, CURVE = "place on the map", "alpha"


def agrees(figure):
    """All numbers of the figure belong to where its dots are; -> its state."""
    state = figure.state
    labels = CHAPTER["noisy_rows"](state["noise"])
    teacher = WORLD.with_bias(state["error"]).log_rows().exp()
    harm = CHAPTER["distance"](CHAPTER["mixtures"](labels, teacher))
    if state["entries"]:
        harm = harm + CHAPTER["scatter"](labels, teacher, state["entries"])
    best = SHARES[harm.argmin()].item()
    mine = harm[round(100 * state["share"])].item()
    lambda_ = best / (1 - best) if best < 1 else math.inf
    weights = [number(lambda_, 2), number(best, 2)]
    if (harm.max() - harm.min()).item() < 1e-9:
        weights = ["any", "any"]
    ends = [number(each.item()) for each in (harm.min(), harm[0], harm[-1])]
    assert figure.texts(".numbers b") == [*weights, ends[0], number(mine), *ends[1:]]
    said = figure.slider(CURVE).get_attribute("aria-valuetext")
    assert f"alpha {state['share']:.2f}" in said and f"KL {number(mine)} nats" in said
    student = (1 - state["share"]) * labels + state["share"] * teacher
    told = figure.part.locator(".stage svg[role=img]").last.get_attribute("aria-label")
    for word, q, p in zip(
        WORLD.words, student[state["last"]], WORLD.log_rows().exp()[state["last"]]
    ):
        name = "the end" if word == "." else word
        assert f"{name} {q.item():.2f}, truth {p.item():.2f}" in told
    return state


def test_the_place_is_dragged_over_the_map(alone):
    figure = alone("lambda_map")
    start = agrees(figure)
    assert (start["noise"], start["error"]) == (0.2, 0.2)
    figure.drag(MAP, 0, -46)  # a tenth of wrong labels is 46 pixels high
    up = agrees(figure)
    assert up["noise"] == pytest.approx(0.3, abs=0.011) and up["error"] == 0.2
    assert up["share"] > start["share"]
    figure.drag(MAP, -900, 900)  # beyond the corner
    corner = agrees(figure)
    assert (corner["noise"], corner["error"]) == (0, 0)
    figure.drag(MAP, 900, 0)
    assert agrees(figure)["error"] == 0.5


def test_a_click_on_the_map_places_the_dot(alone):
    figure = alone("lambda_map")
    ground = figure.part.locator(".ground")
    box = ground.bounding_box()
    ground.click(position={"x": box["width"] / 5, "y": box["height"] / 5})
    state = agrees(figure)
    assert state["error"] == pytest.approx(0.1, abs=0.011)
    assert state["noise"] == pytest.approx(0.4, abs=0.011)


def test_the_map_obeys_the_keys(alone):
    figure = alone("lambda_map")
    figure.keys(MAP, "ArrowUp", "ArrowRight", "PageUp", "Shift+ArrowLeft")
    state = agrees(figure)
    assert (state["noise"], state["error"]) == (pytest.approx(0.31), pytest.approx(0.11))
    said = figure.keys(MAP, "End")
    assert agrees(figure)["noise"] == 0.5 and said.startswith("0.50 of the labels wrong")
    figure.keys(MAP, "Home")
    assert agrees(figure)["noise"] == 0


def test_another_lambda_is_taken_on_the_curve_and_the_best_again(alone):
    figure = alone("lambda_map")
    figure.drag(CURVE, 120, 0)
    state = agrees(figure)
    assert state["share"] > 0.3
    assert "infinite" in figure.keys(CURVE, "End")
    assert agrees(figure)["share"] == 1
    figure.keys(CURVE, "Home", "ArrowRight", "PageUp", "ArrowUp")
    assert agrees(figure)["share"] == pytest.approx(0.12)
    figure.press("Back to the best lambda")
    assert agrees(figure)["share"] == pytest.approx(0.05)


def test_labels_and_the_last_word_are_chosen(alone):
    figure = alone("lambda_map")
    first, last = figure.part.locator("select").all()
    for index, entries in enumerate(lambda_map.ENTRIES.values()):
        first.select_option(str(index))
        assert agrees(figure)["entries"] == entries
    for word in range(len(WORLD.words)):
        last.select_option(str(word))
        assert agrees(figure)["last"] == word
    before = figure.part.locator(".stage image").get_attribute("href")
    first.select_option("0")
    assert figure.part.locator(".stage image").get_attribute("href") != before
