"""Whole runs on records: distilled beside SFT, reported, measured again, answers written."""

import json
import random
import re

import pytest
from forked import kdlib

from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.jobs.record_answers import normalised
from kdlib.models.folders import save_model, wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model

QUESTIONS = [f"{a}+{b}?" for a in range(9) for b in range(9)]
FLAGS = (
    "--data.fraction", "1", "--data.test-fraction", "1", "--data.block", "40",
    "--student.size.width", "16", "--student.size.layers", "1", "--student.training.steps", "8",
    "--student.training.batch", "4", "--evaluate.exact-match", "True",
)  # fmt: skip


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A model folder of a byte-sized vocabulary; what it knows does not matter."""
    folder = tmp_path_factory.mktemp("model") / "teacher"
    tokenizer = wrap_tokenizer(train_tokenizer([Document("t", "User: Assistant: " * 9)], 270), 41)
    save_model(new_model(ModelSize(16, 1, 2), len(tokenizer), 41, seed=0), tokenizer, folder)
    return folder


@pytest.fixture(scope="module")
def chats(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "chats.jsonl"
    rows = [{"prompt": q, "completion": f"{int(q[0]) + int(q[2])}."} for q in QUESTIONS]
    rows += [{"prompt": "9+9?", "completion": ""}, {"prompt": "long " * 30, "completion": "no"}]
    random.Random(0).shuffle(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def made(teacher, chats, tmp_path_factory):
    """A finished run and what it printed."""
    folder = tmp_path_factory.mktemp("run") / "run"
    done = kdlib(
        "distill", "tiny", "--teacher", teacher, "--records", chats, "--out", folder, *FLAGS
    )
    assert done.code == 0, done.err
    return folder, done.out


def report_of(made):
    return json.loads((made[0] / "report.json").read_text())


def test_the_controls_are_called_sft(made):
    assert "SFT" in made[1] and "control" not in made[1].partition("cross-entropy")[2]
    page = (made[0] / "report.html").read_text()
    assert "SFT, equal steps" in page and "SFT, equal compute" in page
    assert not re.search(r"control,\s|A control|[Tt]est documents", page) and "By answer" in page
    assert any("SFT of equal" in sentence for sentence in report_of(made)["verdict"]["sentences"])


def test_it_says_what_was_left_out(made):
    assert "left out: 1 (an empty answer), 1 (longer than 41 tokens, see --data.block)" in made[1]


def test_losses_are_of_answers_by_turn_and_length(made):
    report = report_of(made)
    tokens = sum(report["by_answer"]["length"]["tokens"])
    assert tokens == report["data"]["test"]["tokens"]
    # " 12." and the stop token: two digits are two tokens or one, and no more than five in all.
    assert report["by_answer"]["turn"]["first"] == [1]
    assert report["by_answer"]["length"]["last"][-1] <= 5
    mean = report["by_answer"]["turn"]["student"][0]
    assert mean == pytest.approx(report["student"]["cross_entropy"], rel=1e-6)


def test_samples_stand_beside_the_records_own_answer(made):
    for sample in report_of(made)["samples"]:
        assert sample["prompt"].endswith("?\nAssistant:")
        question = sample["prompt"].partition("User: ")[2]
        assert sample["reference"] == f"{int(question[0]) + int(question[2])}."
        assert {"teacher", "student", "control_equal_steps"} <= set(sample)


def test_exact_matches_are_counted_where_they_are_asked_for(made):
    answers = report_of(made)["answers"]
    assert answers["problems"] == report_of(made)["data"]["test"]["documents"]
    assert all(0 <= share <= 1 for share in answers["right"].values())


def test_a_comparison_ignores_case_white_space_and_a_last_full_stop():
    assert normalised(" The  Ｃongress\n") == normalised("the congress.") != normalised("congress")


def test_it_is_measured_again_and_on_other_records(made, chats):
    again = kdlib("evaluate", made[0], "--text", chats)
    assert again.code == 0 and "81 records" in again.out, again.err
    assert "SFT" in again.out


def test_a_run_is_not_resumed_with_other_records(made, chats):
    kept = chats.read_text()
    try:
        chats.write_text(kept.replace("1+1?", "1 + 1?"))
        refused = kdlib("evaluate", made[0])
    finally:
        chats.write_text(kept)
    assert refused.code == 2 and "is not the text that" in refused.err


REFUSED = {
    "a teacher of records": (("--teacher", "train"), "teacher.source must be left"),
    "own texts": (("--on-policy.share", "0.5"), "on_policy.share must be left"),
    "a template of a text": (("--records", "", "--data.template", "x"), "a text has no turns"),
    "matches in a text": (("--records", "", "--evaluate.exact-match", "True"), "a text has no answers"),
    "no file": (("--records", "none.jsonl"), "there is no file none.jsonl"),
    "no template": (("--data.template", "none.jinja"), "none.jinja cannot be read"),
}  # fmt: skip


@pytest.mark.door("recipes of records")
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(what, chats, tmp_path):
    flags, why = REFUSED[what]
    records = () if "--records" in flags else ("--records", chats)
    done = kdlib("distill", "tiny", *records, *flags, "--out", tmp_path / "run")
    assert done.code == 2 and why in done.err and done.err.count("\n") == 1, done.err
    assert not (tmp_path / "run").exists()


# --- The commands about records ------------------------------------------------------------------


def test_show_marks_what_counts(teacher, chats):
    done = kdlib(
        "show", "tiny", "--teacher", teacher, "--records", chats, *FLAGS[:6], "--count", "2"
    )
    assert done.code == 0, done.err
    assert done.out.count("Assistant:⟦ ") == done.out.count("<|endoftext|>⟧") == 2
    assert "81 records" in done.out and "left out" in done.out


def test_show_without_records_says_what_to_give():
    done = kdlib("show", "tiny")
    assert done.code == 2 and "give --records FILE" in done.err


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"Say {n}"}) + "\n" for n in range(5)))
    return path


def write(teacher, prompts, out, *flags):
    return kdlib(
        "write", "tiny", "--teacher", teacher, "--records", prompts, "--out", out, "--data.block",
        "40", "--tokens", "30", "--samples", "40", *flags,
    )  # fmt: skip


def test_a_teachers_answers_are_records(teacher, prompts, tmp_path):
    out = tmp_path / "answers.jsonl"
    done = write(teacher, prompts, out)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert f"{len(rows)} records" in done.out and "(answers that did not end)" in done.out
    for row in rows:
        user, assistant = row["messages"]
        assert user["content"].startswith("Say ") and assistant["content"].strip()
    shown = kdlib("show", "tiny", "--teacher", teacher, "--records", out, "--data.block", "40")
    assert shown.code == 0, shown.err
    assert not list(tmp_path.glob("*.part"))


def test_a_writer_that_was_stopped_writes_the_same(teacher, prompts, tmp_path):
    whole, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    assert write(teacher, prompts, whole).code == 0
    # As a kill leaves it: two prompts answered, and half of a line.
    kill_after(teacher, prompts, torn, 2)
    assert write(teacher, prompts, torn).code == 0
    assert torn.read_bytes() == whole.read_bytes()


def kill_after(teacher, prompts, out, count):
    """Leave the draft that a writer had when it was killed after so many prompts."""
    from kdlib.jobs import teacher_answers
    from kdlib.jobs.recipe_files import load_recipe
    from kdlib.jobs.teacher_answers import Writing, write_answers

    real = teacher_answers._Writer.answers

    def answers(self, record, number):
        if number == count:
            raise KeyboardInterrupt
        return real(self, record, number)

    recipe = load_recipe("tiny")
    import dataclasses

    recipe = dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, records=str(prompts), block=40),
        teacher=dataclasses.replace(recipe.teacher, source=str(teacher)),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher_answers._Writer, "answers", answers)
        with pytest.raises(KeyboardInterrupt):
            write_answers(recipe, out, Writing(40, 1.0, 30, 0))
    draft = out.with_suffix(".jsonl.part")
    with open(draft, "a") as file:
        file.write('{"answers": [{"mess')
    return draft.exists()


def test_a_draft_of_other_answers_is_refused(teacher, prompts, tmp_path):
    out = tmp_path / "answers.jsonl"
    kill_after(teacher, prompts, out, 1)
    refused = write(teacher, prompts, out, "--temperature", "0.5")
    assert refused.code == 2 and "a draft of other answers" in refused.err
    assert out.with_suffix(".jsonl.part").exists() and not out.exists()


def test_a_file_that_exists_is_not_overwritten(teacher, prompts, tmp_path):
    out = tmp_path / "answers.jsonl"
    out.write_text("mine")
    refused = write(teacher, prompts, out)
    assert refused.code == 2 and "exists already" in refused.err
    assert out.read_text() == "mine"


# --- The student afterwards ----------------------------------------------------------------------


def test_the_student_takes_its_template_along(made):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(made[0] / "student")
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "1+1?"}], tokenize=False, add_generation_prompt=True
    )
    assert asked == f"{tokenizer.eos_token}User: 1+1?\nAssistant:"


def test_generate_asks_as_the_records_did(made):
    done = kdlib("generate", made[0], "1+1?", "--tokens", "4", "--seed", "1")
    assert done.code == 0 and "student" in done.out, done.err
