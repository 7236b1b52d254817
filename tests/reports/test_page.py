"""The report: complete or refused, honest in words, and safe whatever a model writes."""

import html.parser
import json
import math

import pytest
from report_cases import training_log, whole_report, without, without_controls

from kdlib.reports.fields import FIELDS, MODELS
from kdlib.reports.page import render_html, terminal_table, write_report
from kdlib.reports.verdict import verdict

VOID = {"meta", "br", "hr", "img", "link", "input"}


@pytest.fixture
def result():
    return whole_report()


@pytest.fixture
def no_controls():
    return without_controls()


@pytest.fixture
def metrics():
    return training_log()


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


# ---------------------------------------------------------------- the verdict


def advantage(value, low, high):
    return {"value": value, "low": low, "high": high}


def test_verdict_ahead(result):
    assert verdict(result) == [
        "Distillation closes 63 % (95 % interval 60 to 65 %) of the gap from the equal-steps control to the teacher.",
        "The student is ahead of the equal-steps control by 0.241 nats per token (95 % interval 0.229 to 0.253).",
        "The student is ahead of the equal-time control by 0.156 nats per token (95 % interval 0.145 to 0.168).",
    ]


def test_verdict_behind(result):
    result["advantage"]["control_equal_steps"] = advantage(-0.05, -0.06, -0.04)
    result["gap_closed"] = advantage(-0.13, -0.16, -0.1)
    headline, sentence, _ = verdict(result)
    assert headline.startswith("Distillation closes nothing") and "it did harm" in headline
    assert sentence == (
        "The student is behind the equal-steps control by 0.050 nats per token (95 % interval 0.040 to 0.060)."
    )


def test_verdict_undecided(result):
    result["advantage"]["control_equal_steps"] = advantage(0.004, -0.01, 0.02)
    result["gap_closed"] = advantage(0.01, -0.02, 0.05)
    headline, sentence, _ = verdict(result)
    assert headline.startswith("This run does not show that distillation")
    assert (
        "cannot be told apart" in sentence
        and "-0.010 to 0.020 nats per token, includes 0" in sentence
    )


def test_verdict_teacher_no_better(result):
    result["teacher"]["cross_entropy"] = 4.026
    headline, sentence, _ = verdict(result)
    assert headline == (
        "The teacher (4.026 nats per token) is no better than the equal-steps control (4.026),"
        " so there is no gap to close."
    )
    assert "ahead of the equal-steps control" in sentence
    assert "of the gap" not in render_html(result, [])


def test_verdict_with_fewer_controls(result, no_controls):
    assert "This run has no control" in verdict(no_controls)[1]
    (only,) = verdict(without(result, "control_equal_steps", "gap_closed"))
    assert only.startswith("The student is ahead of the equal-time control")
    assert verdict(without(result, "gap_closed"))[0].startswith("Distillation gives a better model")


# ---------------------------------------------------------------- the terminal


def test_terminal_table(result):
    text = terminal_table(result)
    lines = text.split("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= 80 and text.isascii()
    assert lines[2].split() == ["cross-entropy,", "nats/token", "3.642", "3.785", "4.026", "3.941"]
    assert len({len(line) for line in lines[2:]}) == 1, "columns end together"
    assert next(line for line in lines if line.startswith("forward KL")).split()[3] == "-"
    for sentence in verdict(result):
        assert sentence in text


# ---------------------------------------------------------------- report.html


class Page(html.parser.HTMLParser):
    """Checks that tags are balanced; collects tags, attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def values(self, name):
        return [value for key, value in self.attributes if key == name]


def test_html_is_whole_and_self_contained(result, metrics):
    text = render_html(result, metrics)
    page = Page(text)
    links = [value for key in ("href", "src", "xlink:href") for value in page.values(key)]
    assert all(link.startswith("#") for link in links)
    assert "@import" not in text and "url(http" not in text
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    assert len(page.values("id")) == len(set(page.values("id")))
    assert page.tags.count("svg") == 3
    assert (
        sum("nats per token" in alt or "calibration" in alt for alt in page.values("aria-label"))
        == 3
    )
    for sentence in verdict(result):
        assert sentence in page.text
    for word in (
        "3.785",
        "5.24 M",
        "learning_rate",
        "2.13.0",
        "5 min 13 s",
        "1.41 GB",
        *(f.meaning for f in FIELDS.values()),
    ):
        assert word in page.text, word
    assert render_html(result, metrics) == text, "the same report gives the same bytes"


def test_hostile_texts_stay_text(result):
    hostile = "</p><script>alert('x')</script><img src=http://evil.example onerror=alert(1)>{{ 7*7 }}&amp;\x00\""
    result["samples"] = [dict.fromkeys(("prompt", *MODELS), hostile)]
    result["name"] = result["data"]["text"] = result["machine"]["processor"] = hostile
    result["recipe"] = {hostile: hostile}
    page = Page(render_html(result, []))
    assert not {"script", "img"} & set(page.tags)
    assert "{{ 7*7 }}&amp;" in page.text


def test_absent_parts(result, metrics, no_controls, tmp_path):
    fewer = [
        no_controls,
        without(result, "control_equal_time"),
        without(result, "control_equal_steps", "gap_closed"),
    ]
    no_controls["samples"] = []
    no_controls["seconds"] = {"total": 0.0}
    del no_controls["teacher"]["training_tokens"]
    for number, report in enumerate(fewer):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_report(report, [row for row in metrics if row["phase"] in report], folder)
        page = Page((folder / "report.html").read_text("utf-8"))
        assert ("control, equal time" in page.text) == ("control_equal_time" in report)
        assert len(terminal_table(report).splitlines()) > 12
    assert Page(render_html(no_controls, [])).tags.count("svg") == 2
