"""The numbers of the explorables are kdlib's, case by case."""

import json
import math

import contents
import pytest
import torch
from website import explorables_data, temperature
from website.assemble import HERE

from kdlib.losses.divergences import DIVERGENCES, entropy, forward_kl, get_divergence, reverse_kl
from kdlib.losses.softmax import log_softmax
from kdlib.toys.students import fit, one_peak, two_peaks

SCRIPTS = (
    "divergences",
    "figure",
    "peaks",
    "drag_the_student",
    "one_peak",
    "temperature",
    "simplex",
)
BOUND = 1e-12  # of a difference, relative to the larger value: both sides have float64
PARAMETERS = {"generalized_jsd": "beta", "skew_kl": "alpha", "skew_reverse_kl": "alpha"}
PEAK_LOSSES = {  # as chapter 4 uses them
    "forward_kl": None, "symmetric_kl": None, "reverse_kl": None, "jensen_shannon": None,
    "generalized_jsd": 0.2, "skew_kl": 0.1, "skew_reverse_kl": 0.3,
}  # fmt: skip
CHAPTER_4 = next(s for s in contents.sources() if s.name.startswith("04_")).read_text("utf-8")


@pytest.fixture(scope="module")
def js(browser):
    """js("(argument) => ...", argument) runs with the explorables' functions at hand."""
    page = browser.new_page()
    for name in SCRIPTS:
        page.add_script_tag(path=HERE / "static" / "explorables" / f"{name}.js")
    page.add_script_tag(path=temperature.STORED)
    yield lambda script, argument=None: page.evaluate(script, argument)
    page.close()


def furthest(ours, theirs):
    """The largest difference of two lists of numbers, relative to the larger; equal infinities have 0."""
    assert len(ours) == len(theirs)
    return max(
        0.0 if a == b else known(abs(a - b) / max(abs(a), abs(b))) for a, b in zip(ours, theirs)
    )


def of_largest(ours, theirs, size=None):
    """The largest difference of two vectors, relative to the largest entry or to `size`."""
    size = size or max(map(abs, theirs)) or 1.0
    return max(known(abs(a - b)) for a, b in zip(ours, theirs)) / size


def known(difference):
    """Of a number and an infinity, or NaN, it is not a number; max() would pass over it."""
    return math.inf if math.isnan(difference) else difference


def cases(number=300):
    """Pairs of log-probabilities of all sizes: near and far, with zeros in either and in both."""
    draw = torch.Generator().manual_seed(0)
    made = []
    for case in range(number):
        size = 2 + case % 47
        p, noise = torch.randn(2, size, generator=draw, dtype=torch.float64)
        q = p + (0.03, 0.3, 1, 4)[case % 4] * noise
        out = torch.rand(2, size, generator=draw) < 0.3
        out[:, 0] = False  # a word that both reach
        p = p.masked_fill(out[0] & (case % 3 > 0), -math.inf)
        q = q.masked_fill(out[1] & (case % 3 > 1), -math.inf)
        made.append((p.log_softmax(-1), q.log_softmax(-1)))
    return made


# ---------------------------------------------------------------- divergences


@pytest.mark.slow
@pytest.mark.parametrize("loss", PEAK_LOSSES)
def test_a_divergence_and_its_gradient_are_kdlibs(js, loss):
    """At 300 pairs, with zeros; a loss with a parameter at its ends and between."""
    name = PARAMETERS.get(loss)
    worst = {"value": 0.0, "gradient": 0.0}
    infinite = 0
    for parameter in (0, 0.01, 0.1, 0.5, 0.9, 1) if name else (None,):
        divergence = get_divergence(loss, **({name: parameter} if name else {}))
        pairs = cases(60 if name else 300)
        script = """([loss, parameter, pairs]) => pairs.map(([p, q]) => [
            Explorables.divergence(loss, p, q, parameter),
            Explorables.logitGradient(loss, p, q, parameter)])"""
        listed = [(p.tolist(), q.tolist()) for p, q in pairs]
        for (p, q), (value, gradient) in zip(pairs, js(script, [loss, parameter, listed])):
            logits = q.clone().requires_grad_()
            log_q = logits.log_softmax(-1)
            log_q.retain_grad()
            expected = divergence(p, log_q)
            expected.backward()
            here = divergence(p, q).item()
            infinite += math.isinf(here)
            if not math.isclose(here, 0, abs_tol=1e-15):
                worst["value"] = max(worst["value"], furthest([value], [here]))
            # Relative to the slopes in log q: their differences are all that the logits see.
            size = log_q.grad.abs().max().item()
            off = of_largest(gradient, logits.grad.tolist(), size)
            worst["gradient"] = max(worst["gradient"], off)
    assert max(worst.values()) <= BOUND, f"largest relative differences: {worst}"
    assert infinite or loss not in ("forward_kl", "reverse_kl", "symmetric_kl")


@pytest.mark.slow
def test_equal_distributions_are_exactly_nothing_apart(js):
    rows = [p.tolist() for p, _ in cases(60)]
    script = """([loss, rows]) => rows.map((p) => Explorables.divergence(loss, p, p, 0.3))"""
    for loss in PEAK_LOSSES:
        assert set(js(script, [loss, rows])) == {0.0}


@pytest.mark.slow
def test_softmax_and_entropy_are_kdlibs(js):
    rows = [p for p, _ in cases()]
    script = "(rows) => rows.map((p) => [Explorables.entropy(p), Explorables.logSoftmax(p)])"
    found = js(script, [p.tolist() for p in rows])
    worst = furthest([h for h, _ in found], [entropy(p).item() for p in rows])
    for p, (_, again) in zip(rows, found):
        worst = max(worst, furthest([math.exp(a) for a in again], p.exp().tolist()))
    assert worst <= BOUND, f"largest relative difference: {worst}"


def test_every_loss_on_the_page_is_one_of_kdlibs():
    assert set(PEAK_LOSSES) < set(DIVERGENCES)


# ---------------------------------------------------------------- drag the student


@pytest.mark.slow
def test_shares_add_up_to_both_divergences(js):
    pairs = [(p.exp().tolist(), q.exp().tolist()) for p, q in cases()]
    found = js("(pairs) => pairs.map(([p, q]) => Explorables.shares(p, q))", pairs)
    worst = 0.0
    for (p, q), shares in zip(pairs, found):
        p, q = torch.tensor([p, q], dtype=torch.float64).log()
        for name, divergence in {"forward": forward_kl, "reverse": reverse_kl}.items():
            value = divergence(p, q).item()
            worst = max(worst, furthest([shares["sums"][name], sum(shares[name])], [value] * 2))
    assert worst <= BOUND, f"largest relative difference: {worst}"


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["forward_kl", "reverse_kl"])
def test_a_step_is_one_of_gradient_descent_in_the_logits(js, loss):
    pairs = [(p.exp().tolist(), q.exp().tolist()) for p, q in cases()]
    script = "([loss, pairs]) => pairs.map(([p, q]) => Explorables.step(loss, p, q))"
    worst = 0.0
    for (p, q), found in zip(pairs, js(script, [loss, pairs])):
        p, q = torch.tensor([p, q], dtype=torch.float64).log()
        logits = q.clone().requires_grad_()
        DIVERGENCES[loss](p, logits.log_softmax(-1)).backward()
        stepped = (logits.detach() - logits.grad).softmax(-1)
        worst = max(worst, of_largest(found, stepped.tolist()))
        assert all(new == 0 for new, old in zip(found, q) if old == -math.inf)
    assert worst <= BOUND, f"largest relative difference: {worst}"


@pytest.mark.slow
def test_the_others_share_the_rest_in_their_old_proportions(js):
    script = "([q, word, share]) => Explorables.withShare(q, word, share)"
    assert js(script, [[0.2, 0.3, 0.5], 0, 0.6]) == pytest.approx([0.6, 0.15, 0.25], rel=1e-15)
    assert js(script, [[0.2, 0.3, 0.5], 2, 0]) == pytest.approx([0.4, 0.6, 0], rel=1e-15)
    assert js(script, [[1, 0, 0], 0, 0.5]) == [0.5, 0.25, 0.25]
    for case in range(50):
        q = cases(50)[case][1].exp().tolist()
        assert sum(js(script, [q, case % len(q), case / 49])) == pytest.approx(1, rel=1e-14)


# ---------------------------------------------------------------- one peak for two


def settings():
    return [explorables_data.PEAKS, two_peaks().tolist()]


@pytest.mark.slow
def test_peaks_are_kdlibs(js):
    made, ours = explorables_data.PEAKS, two_peaks()
    worst = furthest(js("(about) => Explorables.twoPeaks(about)", made), ours.tolist())
    draw = torch.Generator().manual_seed(1)
    centres = 39 * torch.rand(300, generator=draw, dtype=torch.float64)
    widths = 0.5 * 32 ** torch.rand(300, generator=draw, dtype=torch.float64)
    script = "(peaks) => peaks.map(([c, w]) => Explorables.onePeak(40, c, w))"
    found = js(script, torch.stack([centres, widths], dim=1).tolist())
    for row, expected in zip(found, one_peak(40, centres, widths)):
        worst = max(worst, of_largest(row, expected.tolist()))
    assert worst <= BOUND, f"largest relative difference: {worst}"


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "parameter"), PEAK_LOSSES.items())
def test_it_rolls_where_chapter_4_goes_downhill(js, loss, parameter):
    """The gradient at 40 peaks, ten steps, and the ends of chapter 4's starts."""
    assert "fit([centre, width], lambda: loss().sum(), 600, 0.1)" in CHAPTER_4
    assert "for place in (10, 17, 26)" in CHAPTER_4
    divergence = get_divergence(loss, **({PARAMETERS[loss]: parameter} if parameter else {}))
    two = two_peaks()
    draw = torch.Generator().manual_seed(2)
    places = torch.rand(40, 2, generator=draw, dtype=torch.float64) * torch.tensor([39, 2])
    places = torch.cat([torch.tensor([[10.0, 4], [17, 4], [26, 4]]).double().log(), places])
    places[:3, 0] = torch.tensor([10.0, 17, 26])

    centre, width = (column.clone().requires_grad_() for column in places.T)

    def loss_of():
        return divergence(two, one_peak(40, centre, width.exp())).sum()

    loss_of().backward()
    peaks = [{"centre": c, "width": math.exp(w)} for c, w in places.tolist()]
    script = (
        """([loss, p, peaks, x]) => peaks.map((k) => Explorables.peakGradient(loss, p, k, x))"""
    )
    found = js(script, [loss, two.tolist(), peaks, parameter])
    expected = torch.stack([centre.grad, width.grad], dim=1).tolist()
    worst = max(of_largest(a, b) for a, b in zip(found, expected))
    assert worst <= BOUND, f"largest relative difference of a gradient: {worst}"

    script = """([loss, p, peaks, x, steps]) => peaks.map((k) =>
        [...Explorables.downhill(loss, p, k, x, {steps, rate: 0.1})].at(-1))"""
    for steps, bound in ((10, BOUND), (600, 1e-9)):
        centre, width = (column.clone().requires_grad_() for column in places[:3].T)
        fit([centre, width], loss_of, steps, 0.1)
        ends = js(script, [loss, two.tolist(), peaks[:3], parameter, steps])
        ours = [value for end in ends for value in (end["centre"], end["width"])]
        theirs = torch.stack([centre, width.exp()], dim=1).flatten().tolist()
        assert furthest(ours, theirs) <= bound, f"{steps} steps: {furthest(ours, theirs)}"


MAP = """([loss, p, x]) => Explorables.basins(loss, p, x, {
    centres: Explorables.spaced(0, 39, 118),
    widths: Explorables.spaced(Math.log(0.5), Math.log(16), 48).map(Math.exp)})"""


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "parameter"), PEAK_LOSSES.items())
def test_rings_mark_the_lowest_places_and_the_first_is_the_best_of_all_peaks(js, loss, parameter):
    divergence = get_divergence(loss, **({PARAMETERS[loss]: parameter} if parameter else {}))
    two, found = two_peaks(), js(MAP, [loss, two_peaks().tolist(), parameter])
    for basin in found:
        centre = torch.tensor(basin["centre"], dtype=torch.float64, requires_grad=True)
        width = torch.tensor(basin["width"], dtype=torch.float64).log().requires_grad_()
        value = divergence(two, one_peak(40, centre, width.exp()))
        value.backward()
        assert furthest([basin["loss"]], [value.item()]) <= BOUND
        assert max(centre.grad.abs(), width.grad.abs()) < 1e-4
    centres, widths = torch.arange(0, 39.01, 0.25), torch.arange(0.5, 16.01, 0.25)
    peaks = one_peak(40, *torch.meshgrid(centres, widths, indexing="ij"))
    assert found[0]["loss"] <= divergence(two, peaks).min()
    assert len(found) == {"forward_kl": 1, "reverse_kl": 3}.get(loss, len(found))


# ---------------------------------------------------------------- temperature


@pytest.mark.slow
def test_the_page_has_every_logit_of_the_teacher(js):
    """Rounded to a step, and on another processor not further off than one."""
    (logits, _), step = temperature.teacher_logits(), temperature.STEP
    found = js("() => Explorables.teacher.prompts.map((p) => Explorables.logitsOf(p, 2 ** -11))")
    found = torch.tensor(found, dtype=torch.float64)
    off = (found - logits.sort(descending=True).values).abs()
    assert step == 2**-11 and off.max() <= step
    assert torch.equal(found, temperature.stored()[0])
    assert temperature.STORED.stat().st_size < 120_000


def test_the_words_beside_them_are_the_tokens_that_have_them():
    (logits, pieces), (held, prompts) = temperature.teacher_logits(), temperature.stored()
    for row, levels, prompt in zip(logits, held, prompts, strict=True):
        for word, level in zip(prompt["words"], levels[: temperature.NAMED], strict=True):
            own = [i for i, piece in enumerate(pieces) if temperature.readable(piece) == word]
            assert (row[own] - level).abs().min() <= temperature.STEP


@pytest.mark.parametrize("damage", ["another prompt", "a logit", "fewer logits", "no file"])
def test_stored_logits_that_are_not_the_teachers_are_stale(tmp_path, monkeypatch, damage):
    text, copy = temperature.STORED.read_text("utf-8"), tmp_path / "teacher.js"
    monkeypatch.setattr(temperature, "STORED", copy)
    copy.write_text(text, "utf-8")
    assert not temperature.is_stale()
    data = json.loads(text.removeprefix(temperature.BEFORE).removesuffix(temperature.AFTER))
    first = data["prompts"][0]
    if damage == "no file":
        copy.unlink()
        assert temperature.is_stale()
        return
    if damage == "another prompt":
        first["text"] = "We hope"
    elif damage == "a logit":
        first["highest"] += 2
    else:
        data["prompts"].pop()
    copy.write_text(temperature.BEFORE + json.dumps(data) + temperature.AFTER, "utf-8")
    assert temperature.is_stale()


@pytest.mark.slow
def test_every_temperature_is_kdlibs(js):
    """On the rounded logits to the last digits; on the teacher's own within 2 STEP / T."""
    (logits, _), (held, _) = temperature.teacher_logits(), temperature.stored()
    logits = logits.sort(descending=True).values
    temperatures = [0.1, 0.25, 0.5, 0.77, 1, 1.5, 1.7, 2, math.pi, 4, 10]
    script = """(ts) => Explorables.teacher.prompts.map((p) => {
        const logits = Explorables.logitsOf(p, 2 ** -11);
        return ts.map((t) => Explorables.answer(logits, t, 20)); })"""
    worst, off = 0.0, 0.0
    for exact, row, answers in zip(logits, held, js(script, temperatures)):
        for t, answer in zip(temperatures, answers):
            log_p = log_softmax(row, t)
            p, perplexity = log_p.exp(), entropy(log_p).exp().item()
            worst = max(worst, of_largest(answer["first"], p[:20].tolist()))
            worst = max(worst, abs(answer["others"] - p[20:].sum().item()))
            worst = max(worst, furthest([answer["perplexity"]], [perplexity]))
            assert answer["perplexity"] == math.exp(answer["entropy"])
            first = torch.tensor(answer["first"], dtype=torch.float64).log()
            off = max(off, t * (first - log_softmax(exact, t)[:20]).abs().max().item())
    assert worst <= BOUND, f"largest relative difference: {worst}"
    assert off <= 2 * temperature.STEP, f"{off} nats, times T, off the teacher's own"


def test_small_numbers_take_a_byte_and_large_ones_more():
    assert temperature.packed([0, 127, 128, 300]) == bytes([0, 127, 128, 1, 172, 2])


# ---------------------------------------------------------------- the triangle


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["forward_kl", "reverse_kl"])
@pytest.mark.parametrize("p", [[0.8, 0.1, 0.1], [0.3, 0.5, 0.2], [0.98, 0.01, 0.01]])
def test_lines_join_students_at_the_same_divergence(js, loss, p):
    script = "([loss, p, level]) => Explorables.contour(loss, p, level)"
    teacher = torch.tensor(p, dtype=torch.float64).log()
    for level in (0.01, 0.1, 0.3, 1):
        line = js(script, [loss, p, level])
        points = torch.tensor([point for point in line if point], dtype=torch.float64)
        middle = teacher.exp()
        inside, outside = (middle + (1 + by) * (points - middle) for by in (-1e-9, 1e-9))
        assert DIVERGENCES[loss](teacher, inside.log()).max() < level
        assert DIVERGENCES[loss](teacher, outside.clamp(min=0).log()).min() > level
        assert points.sum(-1).sub(1).abs().max() < 1e-14
        assert None not in line or loss == "reverse_kl"


@pytest.mark.slow
def test_a_place_in_the_triangle_is_a_distribution(js):
    rows = [p.softmax(-1).tolist() for p in torch.randn(200, 3, dtype=torch.float64)]
    again = js("(rows) => rows.map((q) => Explorables.sharesAt(Explorables.placeOf(q)))", rows)
    assert max(abs(a - b) for x, y in zip(rows, again) for a, b in zip(x, y)) < 1e-14
    outside = js("() => Explorables.sharesAt([2, -1])")
    assert min(outside) >= 0 and sum(outside) == pytest.approx(1)


def test_teacher_and_students_of_the_triangle_are_those_of_its_section():
    section = CHAPTER_4.split("## 4.2 ")[1].split("## 4.3 ")[0]
    assert f"P = {explorables_data.TEACHER_OF_THREE}" in section
    for name, q in explorables_data.STUDENTS_OF_THREE.items():
        assert f'"{name}": [{", ".join(f"{share:.2f}" for share in q)}]' in section
