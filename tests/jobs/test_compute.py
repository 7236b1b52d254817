"""Operations of a run's phases: the plan against torch's counter on the real steps."""

import pytest
import torch
from accelerate import Accelerator

from kdlib.bench.costs import Llama
from kdlib.data.blocks import Blocks
from kdlib.jobs.compute import before_training, of_training, operations_of, steps_of_equal_compute
from kdlib.jobs.controls import WITHOUT_TEACHER
from kdlib.losses.objectives import Objective
from kdlib.models.operations import block_operations, operations
from kdlib.teachers.live import HiddenStateReader, LiveTargets, PrecomputedTargets
from kdlib.training.schedule import Training, make_optimizer
from kdlib.training.step import StepContext, take_step
from kdlib.training.student_with_loss import StudentWithLoss
from kdlib.training.task import Task

SIZES = {"teacher": (48, 3, 4, 2, 80), "student": (24, 2, 2, 2, 40)}


def config(name):
    """Attention of plain products, so that torch's counter sees it on a CPU, too."""
    from transformers import LlamaConfig

    width, layers, heads, kv_heads, mlp = SIZES[name]
    return LlamaConfig(
        vocab_size=301, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=kv_heads, intermediate_size=mlp, tie_word_embeddings=True,
        attn_implementation="eager",
    )  # fmt: skip


def model(name):
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(config(name))


def blocks(count=4, length=16):
    ids = torch.randint(301, (count, length + 1), generator=torch.Generator().manual_seed(0))
    return Blocks(ids, torch.ones_like(ids), bytes=1)


@pytest.mark.parametrize("tokens", [9, 33])
@pytest.mark.parametrize("name", SIZES)
def test_a_block_takes_what_the_plan_on_paper_says(name, tokens):
    width, layers, heads, kv_heads, mlp = SIZES[name]
    shape = Llama(width, layers, heads, kv_heads, mlp, 301, head_width=width // heads, tied=True)
    head = 2 * shape.head
    counted = block_operations(config(name), tokens)
    assert counted.head == head * (tokens - 1)
    assert counted.body == tokens * (shape.forward_flops(tokens, attended=1) - head)


def test_the_count_needs_no_weights_and_leaves_the_random_state_alone():
    from transformers import LlamaConfig  # its first import reseeds torch

    before = torch.get_rng_state()
    large = LlamaConfig(hidden_size=4096, num_hidden_layers=40, num_attention_heads=32)
    assert block_operations(large, 3).body > 1e10
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", ["none", "live", "precomputed"])
def test_a_training_takes_what_torch_counts_in_its_steps(kind):
    text, training = blocks(), Training(steps=2, batch=3)
    teacher, student = model("teacher").requires_grad_(False).eval(), model("student")
    costs = operations_of(student, text), operations_of(teacher, text)
    accelerator = Accelerator(cpu=True)
    targets = {
        "none": lambda: None,
        "live": lambda: LiveTargets(teacher),
        "precomputed": lambda: PrecomputedTargets(teacher, text),
    }[kind]()
    objective = WITHOUT_TEACHER if targets is None else Objective.from_alpha(0.5)
    task = Task(text, text, objective, training, targets)
    learner = StudentWithLoss(student)
    context = StepContext(learner, make_optimizer(learner, training), task, accelerator)

    def steps():
        for _ in range(training.steps):
            take_step(context, torch.tensor([0, 2, 3]))

    assert operations(steps) == of_training(task, *costs)


def test_what_comes_before_the_training_is_what_torch_counts_there():
    text, teacher = blocks(), model("teacher").eval()
    made = []
    counted = operations(lambda: made.append(PrecomputedTargets(teacher, text)))
    probe = operations(lambda: HiddenStateReader(teacher))  # it tries the head on a few tokens
    costs = operations_of(teacher, text)
    assert before_training(made[0], costs, len(text)) == counted - probe
    assert before_training(LiveTargets(teacher), costs, len(text)) == 0


def test_a_control_of_equal_compute_has_the_students_operations():
    assert steps_of_equal_compute(student=164, steps=10, twin=100) == 16
    assert steps_of_equal_compute(student=100, steps=10, twin=100) == 10


def test_it_never_has_fewer_steps_than_the_student():
    with pytest.raises(AssertionError, match="99"):
        steps_of_equal_compute(student=99, steps=100, twin=100)
