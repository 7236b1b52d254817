"""The report: complete or refused, honest in words, and safe whatever a model writes."""

import copy
import html.parser
import json
import math

import pytest

from kdlib import report as rp

MODELS = rp.MODELS
VOID = {"meta", "br", "hr", "img", "link", "input"}


def model(cross_entropy, name):
    """One model's part of a report."""
    bins = [None if number == 0 else (number + 0.5) / 15 for number in range(15)]
    entry = {
        "cross_entropy": cross_entropy,
        "perplexity": math.exp(cross_entropy),
        "bits_per_byte": cross_entropy / math.log(2) / 3.9,
        "parameters": 5_243_000 if name == "teacher" else 853_000,
        "bytes_on_disk": 10_490_000 if name == "teacher" else 1_710_000,
        "tokens_per_second": 9_312.4 if name == "teacher" else 31_250.7,
        "ece": 0.0213,
        "training_tokens": 1_024_000,
        "calibration": {
            "confidence": bins,
            "accuracy": [b and 0.93 * b + 0.01 for b in bins],
            "share": [b and math.exp(-4 * b) / 3.4 for b in bins],
        },
    }
    if name != "teacher":
        entry |= {
            "forward_kl": 0.062,
            "reverse_kl": 0.058,
            "top1_agreement": 0.83,
            "top5_agreement": 0.86,
            "steps": 500,
        }
    return entry


@pytest.fixture
def result():
    """A plausible report with all its parts: the student ahead of both controls."""
    losses = dict(zip(MODELS, (3.642, 3.785, 4.026, 3.941), strict=True))
    models = {name: model(loss, name) for name, loss in losses.items()}
    models["teacher"] |= {"surplus_slots": 64, "surplus_mass": 1.2e-6}
    return {
        "format": "kdlib-report-1",
        "name": "pocket",
        "recipe": {"name": "pocket", "out": None, "student": {"layers": 4, "width": 128}, "training": {"learning_rate": 0.003}},
        "seed": 0,
        "versions": {"kdlib": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "transformers": "5.1.0", "accelerate": "1.12.0"},
        "machine": {"device": "cpu", "processor": "AMD EPYC 7B13", "threads": 2, "precision": "fp32"},
        "data": {
            "text": "sotu",
            "training": {"documents": 198, "bytes": 10_412_033, "tokens": 2_671_020},
            "student_training": {"documents": 20, "bytes": 1_040_112, "tokens": 266_931},
            "validation": {"documents": 12, "bytes": 611_200, "tokens": 156_800},
            "test": {"documents": 14, "bytes": 702_118, "tokens": 180_010},
        },
        **models,
        "targets": {"bytes_per_token": 35.2, "readings_saved": 9600},
        "gap_closed": {"value": 0.6276, "low": 0.604, "high": 0.651},
        "advantage": {
            "control_equal_steps": {"value": 0.241, "low": 0.229, "high": 0.253},
            "control_equal_time": {"value": 0.156, "low": 0.145, "high": 0.168},
        },
        "seconds": {
            "tokenizer": 3.1, "teacher": 0.4, "teacher_pass": 24.8, "student": 96.0, "control_equal_steps": 71.2,
            "control_equal_time": 96.1, "evaluation": 21.4, "total": 313.0,
        },
        "peak_memory_bytes": 1_412_000_000,
        "samples": [
            {
                "prompt": "The state of the Union depends upon",
                **{name: " the faithful execution of the laws, and the Congress will, I trust," for name in MODELS},
            }
        ],
    }  # fmt: skip


@pytest.fixture
def metrics():
    return [
        {
            "phase": phase, "step": step, "loss": 2.0, "cross_entropy": 3.7 + 4 / (1 + step / 40), "learning_rate": 0.003,
            "tokens_per_second": 2e4, **({"validation": 3.8 + 4 / (1 + step / 40)} if step % 100 == 0 else {}),
        }
        for phase in rp.LEARNERS
        for step in range(10, 501, 10)
    ]  # fmt: skip


def without(report, *parts):
    report = copy.deepcopy(report)
    for part in parts:
        report.pop(part)
        for others in (report["advantage"], report["seconds"]):
            others.pop(part, None)
        report["samples"] = [
            {k: v for k, v in sample.items() if k != part} for sample in report["samples"]
        ]
    return report


@pytest.fixture
def no_controls(result):
    return without(result, *rp.CONTROLS, "gap_closed")


# ---------------------------------------------------------------- report.json


def test_json_holds_the_report_as_it_was(result, metrics, tmp_path):
    rp.write_report(result, metrics, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == result
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.html"}


def test_key_order_does_not_depend_on_the_caller(result, no_controls):
    def backwards(value):
        if isinstance(value, dict):
            return {key: backwards(value[key]) for key in reversed(value)}
        return [backwards(item) for item in value] if isinstance(value, list) else value

    for report in (result, no_controls):
        turned = backwards(report) | {"recipe": report["recipe"], "versions": report["versions"]}
        assert json.dumps(rp.in_order(turned)) == json.dumps(rp.in_order(report))
    assert tuple(name for name in rp.in_order(backwards(result)) if name in MODELS) == MODELS


def test_every_number_is_documented_and_every_field_used(result):
    numbers = [path for path, value in rp.leaves(result) if isinstance(value, int | float)]
    assert all(rp.field_of(path) for path in numbers)
    assert {rp.field_of(path) for path, _ in rp.leaves(result)} == rp.FIELDS.keys()


@pytest.mark.parametrize(
    "path",
    ["student.extra", "extra", "seconds.lunch", "teacher.forward_kl", "advantage.student.value"],
)
def test_an_undocumented_number_is_refused(result, path):
    *parents, key = path.split(".")
    place = result
    for parent in parents:
        place = place.setdefault(parent, {})
    place[key] = 1.0
    with pytest.raises(ValueError, match=f"^{path}: this number is not documented"):
        rp.validate(result)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused_and_nothing_written(result, bad, tmp_path):
    result["student"]["calibration"]["accuracy"][3] = bad
    with pytest.raises(
        ValueError, match=r"^student\.calibration\.accuracy: -?(nan|inf) is not finite"
    ):
        rp.write_report(result, [], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "path",
    ["seed", "teacher.ece", "student.forward_kl", "control_equal_time.top5_agreement", "gap_closed.low", "data.test.tokens",
     "advantage.control_equal_steps.high", "seconds.total", "machine.threads"],
)  # fmt: skip
def test_a_missing_key_is_named(result, path):
    *parents, key = path.split(".")
    place = result
    for parent in parents:
        place = place[parent]
    del place[key]
    with pytest.raises(ValueError, match=f"report: {path} missing"):
        rp.validate(result)


def test_other_wrong_reports(result):
    with pytest.raises(ValueError, match="format: 'x' is not 'kdlib-report-1'"):
        rp.validate(result | {"format": "x"})
    with pytest.raises(ValueError, match="student: null"):
        rp.validate(result | {"student": None})
    with pytest.raises(ValueError, match="seed: complex is not"):
        rp.validate(result | {"seed": 1j})


# ---------------------------------------------------------------- the verdict


def advantage(value, low, high):
    return {"value": value, "low": low, "high": high}


def test_verdict_ahead(result):
    assert rp.verdict(result) == [
        "Distillation closes 63 % (95 % interval 60 to 65 %) of the gap from the equal-steps control to the teacher.",
        "The student is ahead of the equal-steps control by 0.241 nats per token (95 % interval 0.229 to 0.253).",
        "The student is ahead of the equal-time control by 0.156 nats per token (95 % interval 0.145 to 0.168).",
    ]


def test_verdict_behind(result):
    result["advantage"]["control_equal_steps"] = advantage(-0.05, -0.06, -0.04)
    result["gap_closed"] = advantage(-0.13, -0.16, -0.1)
    headline, sentence, _ = rp.verdict(result)
    assert headline.startswith("Distillation closes nothing") and "it did harm" in headline
    assert sentence == (
        "The student is behind the equal-steps control by 0.050 nats per token (95 % interval 0.040 to 0.060)."
    )


def test_verdict_undecided(result):
    result["advantage"]["control_equal_steps"] = advantage(0.004, -0.01, 0.02)
    result["gap_closed"] = advantage(0.01, -0.02, 0.05)
    headline, sentence, _ = rp.verdict(result)
    assert headline.startswith("This run does not show that distillation")
    assert (
        "cannot be told apart" in sentence
        and "-0.010 to 0.020 nats per token, includes 0" in sentence
    )


def test_verdict_teacher_no_better(result):
    result["teacher"]["cross_entropy"] = 4.026
    headline, sentence, _ = rp.verdict(result)
    assert headline == (
        "The teacher (4.026 nats per token) is no better than the equal-steps control (4.026),"
        " so there is no gap to close."
    )
    assert "ahead of the equal-steps control" in sentence
    assert "of the gap" not in rp.render_html(result, [])


def test_verdict_with_fewer_controls(result, no_controls):
    assert "This run has no control" in rp.verdict(no_controls)[1]
    (only,) = rp.verdict(without(result, "control_equal_steps", "gap_closed"))
    assert only.startswith("The student is ahead of the equal-time control")
    assert rp.verdict(without(result, "gap_closed"))[0].startswith(
        "Distillation gives a better model"
    )


# ---------------------------------------------------------------- the terminal


def test_terminal_table(result):
    text = rp.terminal_table(result)
    lines = text.split("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= 80 and text.isascii()
    assert lines[2].split() == ["cross-entropy,", "nats/token", "3.642", "3.785", "4.026", "3.941"]
    assert len({len(line) for line in lines[2:]}) == 1, "columns end together"
    assert next(line for line in lines if line.startswith("forward KL")).split()[3] == "-"
    for sentence in rp.verdict(result):
        assert sentence in text


def test_numbers_as_people_read_them():
    assert [rp.short(n) for n in (0, 7, 999, 999.6, 12_432, 853_000, 5_243_000, 999_600_000, 2e12)] == [
        "0", "7", "999", "1 k", "12.4 k", "853 k", "5.24 M", "1 G", "2 T",
    ]  # fmt: skip
    assert [rp.size(n) for n in (12, 10_490_000)] == ["12 B", "10.5 MB"]
    assert [rp.duration(s) for s in (0.42, 59.6, 313, 7_300)] == [
        "0.4 s",
        "1 min 00 s",
        "5 min 13 s",
        "2 h 01 min",
    ]


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
    text = rp.render_html(result, metrics)
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
    for sentence in rp.verdict(result):
        assert sentence in page.text
    for word in (
        "3.785",
        "5.24 M",
        "learning_rate",
        "2.13.0",
        "5 min 13 s",
        "1.41 GB",
        *(f.meaning for f in rp.FIELDS.values()),
    ):
        assert word in page.text, word
    assert rp.render_html(result, metrics) == text, "the same report gives the same bytes"


def test_hostile_texts_stay_text(result):
    hostile = "</p><script>alert('x')</script><img src=http://evil.example onerror=alert(1)>{{ 7*7 }}&amp;\x00\""
    result["samples"] = [dict.fromkeys(("prompt", *MODELS), hostile)]
    result["name"] = result["data"]["text"] = result["machine"]["processor"] = hostile
    result["recipe"] = {hostile: hostile}
    page = Page(rp.render_html(result, []))
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
        rp.write_report(report, [row for row in metrics if row["phase"] in report], folder)
        page = Page((folder / "report.html").read_text("utf-8"))
        assert ("control, equal time" in page.text) == ("control_equal_time" in report)
        assert len(rp.terminal_table(report).splitlines()) > 12
    assert Page(rp.render_html(no_controls, [])).tags.count("svg") == 2
