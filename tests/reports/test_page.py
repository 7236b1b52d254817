"""The page and the table: the verdict first, every part where it is there, safe whatever it says."""

import json
import math
import re
from functools import cache

import pytest
from html_page import Page, assert_self_contained
from report_cases import (
    cross_tokenizer,
    losing,
    training_log,
    undecided,
    whole_report,
    without,
    without_controls,
)

from kdlib.reports.fields import CONTROLS, FIELDS, LEARNERS, MODELS, OFF_POLICY
from kdlib.reports.page import render_html, terminal_table, write_report

HOSTILE = (
    "</p><script>alert('x')</script><img src=http://evil.example onerror=alert(1)>"
    '{{ 7*7 }}&amp;\x00"$\\frac$日本'
)
CASES = {
    "yes": whole_report,
    "no": losing,
    "cannot tell": undecided,
    "no control": without_controls,
    "cross tokenizer": cross_tokenizer,
    "no n-gram": lambda: without(whole_report(), "ngram"),
    "one control": lambda: without(whole_report(), "control_equal_compute", "control_patient"),
    "equal compute": lambda: without(
        whole_report(), "control_equal_steps", "control_patient", "gap_closed"
    ),
    "no passage": lambda: without(whole_report(), "passage", "where_lost", "agreement_lead"),
}
FIGURES = {"cross tokenizer": 5, "no passage": 5}  # of 8


@pytest.fixture
def result():
    return whole_report()


@pytest.fixture
def metrics():
    return training_log()


@pytest.fixture(params=CASES)
def case(request):
    """The name of a kind of report."""
    return request.param


@cache
def page_of(case):
    """The page of this kind of report. To draw its figures takes a second."""
    return render_html(CASES[case](), training_log())


# ---------------------------------------------------------------- report.json


def test_json_holds_the_report_as_it_was(result, metrics, tmp_path):
    write_report(result, metrics, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == result
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.html"}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused_and_nothing_written(result, bad, tmp_path):
    result["student"]["calibration"]["accuracy"][3] = bad
    with pytest.raises(
        ValueError, match=r"^student\.calibration\.accuracy: -?(nan|inf) is not finite"
    ):
        write_report(result, [], tmp_path)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- the terminal


def test_terminal_table(result):
    text = terminal_table(result)
    lines = text.split("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= 104 and text.isascii()
    losses = ["3.642", "3.785", "3.793", "3.771", "4.026", "3.941", "3.902", "4.610"]
    assert lines[3].split() == ["cross-entropy,", "nats/token", *losses]
    assert len({len(line) for line in lines[3:]}) == 1, "columns end together"
    kl = next(line for line in lines if line.startswith("forward KL")).split()
    assert kl[3] == kl[-1] == "-", "of the teacher and of the n-gram"
    speed = next(line for line in lines if line.startswith("speed"))
    assert speed.split()[2:6] == ["9.3", "k", "31", "k"]
    for sentence in result["verdict"]["sentences"]:
        assert sentence in text


def test_every_case_has_its_table(case):
    lines = terminal_table(CASES[case]()).split("\n\n")[0].splitlines()
    heads = 2 if case == "no control" else 3
    assert len(lines) == 15 + heads and max(map(len, lines)) <= 104


def test_adapters_have_rows_of_their_own_where_there_are_any(result):
    lines = terminal_table(result).splitlines()
    places = [
        n for n, line in enumerate(lines) if line.startswith(("parameters", "trained (LoRA)"))
    ]
    assert places == [places[0], places[0] + 1]
    assert lines[places[1]].split()[:6] == ["trained", "(LoRA)", "-", "24.6", "k", "24.6"]
    assert lines[places[1] + 1].split()[:5] == ["memory", "in", "training", "-", "3.71"]
    for name in LEARNERS:
        del result[name]["trainable_parameters"], result[name]["training_bytes"]
    fewer = terminal_table(result).splitlines()
    assert fewer == [*lines[: places[1]], *lines[places[1] + 2 :]]


def test_the_table_of_an_ordinary_run_is_not_wide():
    report = without(whole_report(), *OFF_POLICY, "control_patient")
    lines = terminal_table(report).split("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= 85


# ---------------------------------------------------------------- report.html


def test_every_case_is_whole_and_self_contained(case):
    page = assert_self_contained(page_of(case))
    assert len(page.figures) == FIGURES.get(case, 8)
    assert all(re.search(r"\d\.\d", alt) for alt in page.figures), "each says its numbers"
    assert page.tags.count("h1") == 1
    for sentence in CASES[case]()["verdict"]["sentences"]:
        assert sentence in page.text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("case", "sign", "word"),
    [
        ("yes", "good", "worth it"),
        ("no", "bad", "not worth it"),
        ("cannot tell", "unclear", "cannot be told"),
        ("no control", "neutral", "no control"),
    ],
)
def test_the_first_line_says_what_happened(case, sign, word):
    text = page_of(case)
    headline = CASES[case]()["verdict"]["sentences"][0].replace(" %", "\u00a0%")
    assert re.search(
        rf'<header class="head {sign}">.*?<p class="word">{word}</p>\s*<h1>{re.escape(headline)}</h1>',
        text,
        re.DOTALL,
    )
    assert f"<title>pocket: {word} " in text


def test_nothing_that_cannot_be_told_apart_is_called_equal():
    text = Page(page_of("cannot tell")).text
    for word in ("as good as", "no difference", "the same as", "equally"):
        assert word not in text
    assert "cannot be told apart from the control of equal steps" in text
    assert "% closed" not in text, "the interval of the gap includes 0"


def test_the_same_report_gives_the_same_bytes(result, metrics):
    assert render_html(result, metrics) == page_of("yes")


def test_the_page_has_the_numbers_and_their_meaning():
    text = page_of("yes")
    page = Page(text)
    for word in (
        "3.785",
        "5.24 M",
        "4.610",
        "learning_rate",
        "2.13.0",
        "16 min 52 s",
        "1.41 GB",
        "2.31 GB on the GPU",
        "NVIDIA H200",
        "b" * 64,
        "kdlib 0.1.0",
        "kdlib distill path/to/this/folder/recipe.toml",
        *(field.meaning for field in FIELDS.values()),
    ):
        assert word in page.text, word
    assert "0.021 (chance alone: 0.005)" in text


def test_the_three_lines_load_the_student():
    code = re.search(r"<pre><code>(from transformers.*?)</code>", page_of("yes"), re.DOTALL)
    lines = code[1].replace("&#34;", '"').splitlines()
    assert len(lines) == 3
    compile("\n".join(lines), "page", "exec")


def test_the_n_gram_has_a_column_with_dashes():
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(<td.*?)</tr>', page_of("yes"))
    cells = {
        label.partition(" <")[0]: re.findall(r"<td[^>]*>(.*?)</td>", row) for label, row in rows
    }
    assert cells["cross-entropy"][-1] == "4.610" and len(cells["cross-entropy"]) == 8
    assert cells["forward KL"][-1] == cells["parameters"][-1] == "–"
    assert cells["speed"][:2] == ["9.3 k", "31 k"]
    assert cells["by chance alone"][1] == "0.005"


def test_hostile_texts_stay_text(result):
    result["samples"] = [dict.fromkeys(("prompt", *MODELS), HOSTILE)]
    result["name"] = result["data"]["text"] = result["machine"]["processor"] = HOSTILE
    result["recipe"] = {HOSTILE: HOSTILE}
    result["where_lost"]["document"]["name"] = ["<script>", HOSTILE]
    result["passage"] |= {"document": HOSTILE, "tokens": ["<script>", " <b>", HOSTILE]}
    for name in MODELS:
        result["passage"][name] |= {"top5": [[HOSTILE] * 5] * 3}
    result["verdict"]["sentences"][0] = HOSTILE
    page = assert_self_contained(render_html(result, []))
    assert not {"script", "img", "b"} & set(page.tags)
    assert "{{ 7*7 }}&amp;" in page.text and "49" not in page.values("title")
    assert any("<script>: " in alt for alt in page.figures), "the document, in words"


def test_without_metrics_there_are_no_curves(result):
    page = assert_self_contained(render_html(result, []))
    assert len(page.figures) == 5 and "What the learning cost" not in page.text


def test_little_is_left_out_in_peace(metrics, tmp_path):
    bare = without_controls()
    bare["samples"] = []
    bare["seconds"] |= {"total": 0.0}
    del bare["teacher"]["training_tokens"], bare["peak_accelerator_bytes"]
    bare["where_lost"]["document"] = {
        key: value[:1] if isinstance(value, list) else {k: v[:1] for k, v in value.items()}
        for key, value in bare["where_lost"]["document"].items()
    }
    write_report(bare, [row for row in metrics if row["phase"] in bare], tmp_path)
    page = assert_self_contained((tmp_path / "report.html").read_text("utf-8"))
    assert len(page.figures) == 7, "a single document is compared with no other"
    assert "control" not in page.values("class")


def test_several_seeds_are_listed(result):
    result["trainings"].append(result["trainings"][0] | {"seed": 1, "student": 3.812})
    assert "3.812" in Page(render_html(result, [])).text
    assert "Each training" not in page_of("yes")


# ---------------------------------------------------------------- the passage


def readings(text):
    """The parts of the page that show one model's reading each."""
    return re.split(r'<div class="reading"', text)[1:]


def test_the_passage_is_read_by_teacher_student_and_the_control_that_decides():
    titles = [re.search(r"</svg>(.*?):", part)[1] for part in readings(page_of("no"))]
    assert titles == ["teacher", "student", "control, equal compute"]
    assert len(readings(page_of("no control"))) == 2
    assert not readings(page_of("no passage"))


def test_each_token_can_be_reached_and_is_explained():
    part = readings(page_of("yes"))[1]
    tokens = re.findall(r'(.)<span class="token (h\d)" tabindex="0" aria-describedby="(.*?)">(.*?)</span>', part)  # fmt: skip
    assert [token for *_, token in tokens] == ["the", "Congress", "↵↵"]
    assert [heat for _, heat, *_ in tokens] == ["h0", "h2", "h5"]
    assert [before for before, *_ in tokens] == [" ", " ", ">"], "spaces stand outside the colour"
    tips = dict(re.findall(r'<span class="tip" role="tooltip" id="(.*?)">(.*?)</span>', part))
    assert set(tips) == {tip for _, _, tip, _ in tokens}
    words = [" ".join(re.sub(r"<.*?>", " ", tip).split()) for tip in tips.values()]
    assert words[0].startswith("the : 0.50 nats, so 60.7 %. Likeliest: the 60.0 %")
    assert "Congress 1.0 %" in words[0]
    assert "so under 0.1 %" in words[2]
    marked = re.findall(r'<i class="is"><code>(.*?)</code>', "".join(tips.values()))
    assert marked == [" the", " Congress"], "the guess that was right is marked"


def test_a_reading_is_summed_up():
    part = readings(page_of("yes"))[0]
    assert "4.25 nats per token; most surprised by “↵↵” (9.8)" in part


def test_what_is_no_answer_is_neither_coloured_nor_summed_up(result):
    result["passage"]["counted"] = [1, 1, 0]
    part = readings(render_html(result, []))[0]
    assert re.findall(r'class="token (h\d)"', part) == ["h0", "h2", "h0"]
    assert "1.50 nats per token; most surprised by “Congress” (2.5)" in part


def test_of_a_text_everything_is_summed_up(result):
    del result["passage"]["counted"]
    text = render_html(result, [])
    assert "4.25 nats per token" in readings(text)[0]
    assert "Only the answers" in page_of("yes") and "Only the answers" not in text


@pytest.mark.parametrize(("number", "words"), [(1, "1 thread,"), (2, "2 threads,")])
def test_one_thread_is_no_plural(result, number, words):
    result["machine"]["threads"] = number
    assert words in render_html(result, [])


# ---------------------------------------------------------------- the samples


def test_samples_have_no_empty_lines_and_one_height(result):
    result["samples"][0]["student"] = "and will.\n\n\n\n \n\n\nSo it was\n\nWe"
    text = render_html(result, [])
    assert '<p class="text">and will.\nSo it was\nWe</p>' in text
    assert "-webkit-line-clamp" in text


def test_what_a_control_is_depends_on_which_there_are():
    text = {case: Page(page_of(case)).text for case in CASES}
    assert "for as long as it helped, the patient one" in text["yes"]
    assert "trained on the same text without a teacher for as many steps." in text["one control"]
    assert "A control is" not in text["no control"] and "n-gram is a table" not in text["no n-gram"]
    assert not any(f"control, {name}" in text["no control"] for name in CONTROLS)
