"""Rows of records: what counts, what nothing sees, and splits by what is asked."""

from collections import Counter

import chats
import pytest
import torch

from kdlib.data.splits import Wanted
from kdlib.errors import UserError
from kdlib.losses.objectives import Objective
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.models.heads import last_hidden_states
from kdlib.records.record import ASSISTANT, USER, Turn, new_record
from kdlib.records.rows import encode, fitting, make_rows
from kdlib.records.splits import split_records, take_share, without_shared_prompts
from kdlib.records.template import ChatTemplate
from kdlib.teachers.live import LiveTargets, PrecomputedTargets
from kdlib.training.schedule import rows_of_step
from kdlib.training.step import to_device
from kdlib.training.student_with_loss import StudentWithLoss

LENGTH = 150


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "chatml.jinja"
    path.write_text(chats.CHATML)
    return ChatTemplate(chats.tokenizer(), str(path))


@pytest.fixture(scope="module")
def records(template):
    return fitting(chats.conversations(40), template, LENGTH)[0]


@pytest.fixture(scope="module")
def rows(records, template):
    return make_rows(records, template, LENGTH, padding=0)


@pytest.fixture(scope="module")
def student(template):
    return new_model(ModelSize(16, 2, 2), len(template.tokenizer), LENGTH + 1, seed=0).eval()


class OneCpu:
    device = torch.device("cpu")


def test_the_loss_is_that_of_each_record_alone(rows, records, template, student):
    some = torch.arange(len(records))
    ids, counted = to_device(rows, some, OneCpu)
    loss = StudentWithLoss(student)(ids, counted, Objective.from_lambda(0.0))
    total, tokens = 0.0, 0
    for record in records:  # not padded, dense, one by one
        encoded = encode(record, template)
        ids = torch.from_numpy(encoded.ids)[None]
        log_q = student(input_ids=ids).logits[0, :-1].double().log_softmax(-1)
        nll = -log_q.gather(-1, ids[0, 1:, None])[:, 0]
        answers = torch.from_numpy(encoded.answer[1:] > 0)
        total, tokens = total + nll[answers].sum(), tokens + int(answers.sum())
    assert int(loss.count) == tokens == rows.predicted_tokens
    torch.testing.assert_close(loss.total.double(), total, rtol=1e-5, atol=0)


def test_no_record_sees_another(rows, student):
    """Leakage is exactly zero: another neighbour, and a record's hidden states keep every bit."""
    before = last_hidden_states(student, rows.ids[:4])
    other = rows.ids[:4].clone()
    other[1:] = torch.randint(4000, other[1:].shape)
    assert torch.equal(last_hidden_states(student, other)[0], before[0])


def test_nothing_of_a_record_sees_its_padding(rows, student):
    """Nor does what stands behind a record reach it: other padding, the same bits."""
    row = int(rows.lengths.argmin())
    size = int(rows.lengths[row])
    other = rows.ids[row : row + 1].clone()
    other[0, size:] = 7
    same = last_hidden_states(student, other)[0, :size]
    assert torch.equal(same, last_hidden_states(student, rows.ids[row : row + 1])[0, :size])


def test_the_gradient_of_one_record_reaches_no_token_of_another(rows, student):
    embedded = student.get_input_embeddings()(rows.ids[:3]).detach().requires_grad_()
    logits = student(inputs_embeds=embedded).logits
    logits[0].square().sum().backward()
    assert embedded.grad[0].any() and not embedded.grad[1:].any()


def test_a_batch_is_cut_off_behind_its_longest_record(rows):
    short = rows.lengths.argsort()[:5]
    ids, counted = to_device(rows, short, OneCpu)
    longest = int(rows.lengths[short].max())
    assert ids.shape == (5, longest) and counted.shape == (5, longest - 1)
    assert int(counted.sum()) == int((rows.answer[short] > 0).sum())


def test_targets_are_of_the_tokens_that_are_read(rows, template):
    teacher = freeze(new_model(ModelSize(16, 1, 2), len(template.tokenizer), LENGTH + 1, seed=1))
    remembered, live = PrecomputedTargets(teacher, rows), LiveTargets(teacher)
    some = torch.tensor([3, 0, 9])
    ids, counted = to_device(rows, some, OneCpu)
    one, other = (targets(some, ids).logits()[:, :-1][counted] for targets in (remembered, live))
    torch.testing.assert_close(one, other)


def test_rows_of_like_length_are_read_together(rows):
    lengths = torch.randint(10, 150, (2000,))
    batches = [rows_of_step(step, 2000, 8, 5, lengths) for step in range(250)]
    assert torch.equal(torch.cat(batches).sort().values, torch.arange(2000))
    longest = sum(int(lengths[batch].max()) * 8 for batch in batches)
    shuffled = [rows_of_step(step, 2000, 8, 5) for step in range(250)]
    assert longest < 1.1 * int(lengths.sum())
    assert sum(int(lengths[batch].max()) * 8 for batch in shuffled) > 1.5 * int(lengths.sum())
    means = torch.stack([lengths[batch].double().mean() for batch in batches])
    halves = means[:125].mean() - means[125:].mean()
    assert halves.abs() < 10  # and not the short ones first


def test_a_record_that_is_too_long_is_left_out_whole(template):
    long = new_record("long", [Turn(USER, "who " * 200), Turn(ASSISTANT, "they")])
    kept, left_out = fitting([*chats.conversations(2), long], template, LENGTH)
    assert [each.name for each in kept] == ["chat:0", "chat:1"]
    assert left_out == Counter({"longer than 151 tokens, see --data.block": 1})


def test_a_single_record_is_too_few(template):
    with pytest.raises(UserError, match="1 of them is too few"):
        make_rows(chats.conversations(1), template, LENGTH, 0)


# --- Splits ---------------------------------------------------------------------------------------


def asked(count, answers=3):
    return [
        new_record(f"{q}.{a}", [Turn(USER, f"What is {q}?"), Turn(ASSISTANT, f"It is {a}.")])
        for q in range(count)
        for a in range(answers)
    ]


def names(parts):
    return {part: {record.name for record in records} for part, records in parts.items()}


def test_answers_to_one_question_stay_together():
    parts = split_records("f", asked(200), Wanted())
    prompts = [{record.prompt for record in records} for records in parts.values()]
    assert len(set.union(*prompts)) == sum(map(len, prompts)) == 200
    assert sum(map(len, parts.values())) == 600 and all(parts.values())


def test_neither_order_nor_neighbours_move_a_record():
    records = asked(100)
    parts = names(split_records("f", records, Wanted()))
    assert names(split_records("f", records[::-1], Wanted())) == parts
    more = names(split_records("f", asked(150), Wanted()))
    for part in parts:
        assert parts[part] <= more[part]


def test_too_few_questions_are_refused():
    with pytest.raises(UserError, match="f asks 2 different questions; at least 3"):
        split_records("f", asked(2), Wanted())


def test_what_a_test_of_its_own_asks_is_not_learned():
    records = asked(10)
    parts = {"training": records, "validation": [], "test": records[:4]}
    kept, dropped = without_shared_prompts(parts)
    assert dropped == 6 and len(kept["training"]) == 24  # two questions, three answers each
    assert kept["test"] == records[:4]


def test_a_share_is_of_whole_records_and_within_a_larger_one():
    records = asked(50)
    small, large = take_share(records, 0.1), take_share(records, 0.5)
    assert (len(small), len(large)) == (15, 75)
    assert {each.name for each in small} < {each.name for each in large}
    assert take_share(records, 1.0) == records
