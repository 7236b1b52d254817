"""Estimate the cost of a distillation before running it: operations, bytes, hours and dollars.

This is plain arithmetic; nothing is measured. Every number that is not a count is a field of
`LossModel` or of `Assumptions`: replace them with the numbers of your machines. ::

    forward    2 operations per parameter and token, a multiplication and an addition
    backward   4, for the gradients of inputs and of weights (Kaplan et al. 2020, section 2.1)

Attention adds to both. 1 GB is 1e9 bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import NamedTuple, Protocol, TypeVar

from kdlib.models.operations import BACKWARD

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Llama:
    """The shape of a Llama-like decoder: grouped queries, a gated MLP, RMS norms, no biases."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    mlp_width: int
    vocabulary: int
    head_width: int
    tied: bool = False  #: whether embedding and output head are one matrix

    @property
    def parameters(self) -> int:
        """Number of parameters; a tied matrix counts once."""
        norms = (2 * self.layers + 1) * self.width
        embedding = 0 if self.tied else self.vocabulary * self.width
        return self.multiplied + embedding + norms

    @property
    def multiplied(self) -> int:
        """Parameters in matrix products, per token: without norms and embedding look-up."""
        queries_and_output = 2 * self.width * self.heads * self.head_width
        keys_and_values = 2 * self.width * self.kv_heads * self.head_width
        mlp = 3 * self.width * self.mlp_width
        return self.layers * (queries_and_output + keys_and_values + mlp) + self.head

    @property
    def head(self) -> int:
        """Parameters of the output head."""
        return self.vocabulary * self.width

    def forward_flops(self, context: int, attended: float = 0.5) -> float:
        """Operations per token of the forward pass.

        Args:
            context: length of a sequence, in tokens.
            attended: the share of the context x context scores that is computed: 1/2 if the kernel
                skips what the causal mask forbids, otherwise 1.
        """
        scores_and_values = 4 * self.layers * self.heads * self.head_width * context * attended
        return 2 * self.multiplied + scores_and_values

    def training_flops(self, context: int, attended: float = 0.5) -> float:
        """Operations per token, forward and backward; arguments as in `forward_flops`."""
        return (1 + BACKWARD) * self.forward_flops(context, attended)


LLAMA_3_70B = Llama(8192, 80, 64, 8, 28_672, 128_256, head_width=128)
LLAMA_3_8B = Llama(4096, 32, 32, 8, 14_336, 128_256, head_width=128)
LLAMA_3_1B = Llama(2048, 16, 32, 8, 8192, 128_256, head_width=64, tied=True)
SMOLLM2_135M = Llama(576, 30, 9, 3, 1536, 49_152, head_width=64, tied=True)


class LossSize(Protocol):
    """Sizes of one distillation loss, such as `kdlib.bench.variants.Size`."""

    @property
    def tokens(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def teacher_width(self) -> int: ...
    @property
    def vocabulary(self) -> int: ...


def loss_flops(size: LossSize) -> float:
    """Operations of the four matrix products of a loss from hidden states.

    These are the logits of student and teacher, and the student's two gradients.
    """
    return 2 * logits(size) * ((1 + BACKWARD) * size.width + size.teacher_width)


def logits(size: LossSize) -> int:
    """Number of logits of one model, N x V."""
    return size.tokens * size.vocabulary


def gradient_bytes(size: LossSize, number_bytes: int = 4) -> int:
    """Bytes of the gradients of the loss in the student's hidden states and output head."""
    return number_bytes * size.width * (size.tokens + size.vocabulary)


@dataclass(frozen=True)
class LossModel:
    """Memory and time of one implementation of the loss, from three fitted numbers."""

    matrices: float  #: rows x V matrices alive at the peak
    seconds_per_flop: float
    seconds_per_logit: float  #: all passes over a logit: softmaxes, differences, copies
    rows: int | None = None  #: positions whose logits are in memory at once; None: all (dense)
    number_bytes: int = 4

    def seconds(self, size: LossSize) -> float:
        """Time of the loss with its gradients."""
        return loss_flops(size) * self.seconds_per_flop + logits(size) * self.seconds_per_logit

    def extra_bytes(self, size: LossSize) -> float:
        """Bytes beyond the inputs and the returned gradients, as ``kdlib bench loss`` reports.

        Dense allocates the gradients after its peak, in memory that the peak has freed. In chunks,
        a first copy is accumulated beside the chunk's matrices and then scaled into a second.
        """
        held = min(self.rows or size.tokens, size.tokens) * size.vocabulary
        matrices, gradients = self.matrices * held * self.number_bytes, gradient_bytes(size)
        return matrices - gradients if self.rows is None else max(matrices, gradients)


T = TypeVar("T")


def _assumed(value: T, unit: str, why: str) -> T:
    """A field with its default, its unit and what it means."""
    assumption: T = field(default=value, metadata={"unit": unit, "why": why})
    return assumption


@dataclass(frozen=True)
class Assumptions:
    """Everything that a bill depends on; change it with ``dataclasses.replace(a, gpus=64)``."""

    teacher: Llama = LLAMA_3_70B
    student: Llama = LLAMA_3_1B
    tokens: float = _assumed(1e12, "tokens", "distinct tokens of text")
    passes: int = _assumed(1, "passes", "over the text, of all students together")
    context: int = _assumed(4096, "tokens", "in one sequence")
    attended: float = _assumed(0.5, "share", "of the attention scores, under a causal mask")
    gpus: int = _assumed(1024, "GPUs", "that train the student")
    gpu_flops: float = _assumed(989e12, "1/s", "H100 SXM in bfloat16, data sheet, no sparsity")
    gpu_bytes: float = _assumed(3.35e12, "B/s", "H100 SXM memory, data sheet")
    teacher_use: float = _assumed(0.5, "share", "of gpu_flops, forward only")
    student_use: float = _assumed(0.4, "share", "of gpu_flops, in training")
    logit_passes: float = _assumed(10, "passes", "over one model's logits, in the loss")
    logit_bytes: float = _assumed(2, "B", "a stored logit, bfloat16")
    hidden_bytes: float = _assumed(2, "B", "a stored hidden number, bfloat16")
    kept: int = _assumed(50, "words", "of each distribution, in top-k")
    kept_bytes: float = _assumed(6, "B", "a kept word: an id of 4, a probability of 2")
    drawn_bytes: float = _assumed(40, "B", "50 draws, packed as the cache does")
    trained_bytes: float = _assumed(16, "B", "a trained parameter: 2 + 2, Adam 12")
    frozen_bytes: float = _assumed(2, "B", "a parameter of the teacher, bfloat16")
    step_tokens: int = _assumed(8192, "tokens", "of one GPU in one step")
    wire_bytes: float = _assumed(2, "B", "a parameter or gradient on the network")
    link: float = _assumed(50e9, "B/s", "a GPU's share of the network, 400 Gb/s")
    gpu_hour: float = _assumed(2.5, "$", "an hour of a GPU")
    terabyte_month: float = _assumed(20, "$", "a month of 1e12 stored bytes")
    months: float = _assumed(3, "months", "that targets are kept")


def assumption_table(a: Assumptions) -> str:
    """Every number that a bill depends on, one per line."""
    rows = [f"{'teacher':14} {a.teacher.parameters:9.3g} parameters",
            f"{'student':14} {a.student.parameters:9.3g} parameters"]  # fmt: skip
    for each in fields(a):
        if each.metadata:
            value, note = getattr(a, each.name), each.metadata
            rows.append(f"{each.name:14} {value:9.4g} {note['unit']:7} {note['why']}")
    return "\n".join(rows)


CACHES = ("dense logits", "hidden states", "top-k", "sampled")


class Bill(NamedTuple):
    """The cost of one way of supplying the teacher."""

    bytes_per_token: float  #: stored targets per token of text
    stored_bytes: float  #: stored targets in total
    teacher_hours: float  #: GPU hours of the teacher
    student_hours: float  #: GPU hours of the student, with the loss, over all passes
    read_bytes_per_second: float  #: targets read by the whole training job
    dollars: float  #: GPU hours and storage

    @property
    def gpu_hours(self) -> float:
        """GPU hours of teacher and student."""
        return self.teacher_hours + self.student_hours


def bytes_per_token(a: Assumptions) -> dict[str, float]:
    """Bytes stored per token of text by each way of supplying the teacher."""
    return {
        "no teacher": 0.0,
        "teacher beside": 0.0,
        "dense logits": a.teacher.vocabulary * a.logit_bytes,
        "hidden states": a.teacher.width * a.hidden_bytes,
        "top-k": a.kept * a.kept_bytes,
        "sampled": a.drawn_bytes,
    }


def bills(a: Assumptions) -> dict[str, Bill]:
    """The bill of each way of supplying the teacher, by name."""
    return {name: _bill(a, name, stored) for name, stored in bytes_per_token(a).items()}


def _bill(a: Assumptions, name: str, stored: float) -> Bill:
    """The bill of one way, which stores so many bytes per token."""
    all_tokens = a.tokens * a.passes
    teacher_tokens = {"no teacher": 0.0, "teacher beside": all_tokens}.get(name, a.tokens)
    # From hidden states the teacher's logits are recomputed in every pass: one more product.
    head_flops = 2 * a.teacher.head if name == "hidden states" else 0
    seconds = student_seconds(a) + head_flops / (a.gpu_flops * a.student_use)
    teacher_hours = teacher_tokens * teacher_seconds(a) / SECONDS_PER_HOUR
    student_hours = all_tokens * seconds / SECONDS_PER_HOUR
    storage = a.tokens * stored / 1e12 * a.terabyte_month * a.months
    return Bill(
        bytes_per_token=stored,
        stored_bytes=a.tokens * stored,
        teacher_hours=teacher_hours,
        student_hours=student_hours,
        read_bytes_per_second=stored * a.gpus / seconds,
        dollars=storage + a.gpu_hour * (teacher_hours + student_hours),
    )


def teacher_seconds(a: Assumptions) -> float:
    """GPU seconds of the teacher's forward pass, per token."""
    return a.teacher.forward_flops(a.context, a.attended) / (a.gpu_flops * a.teacher_use)


def student_seconds(a: Assumptions) -> float:
    """GPU seconds of training the student, per token.

    Matrix products and passes over the logits have different speeds, as in `LossModel`.
    """
    products = a.student.training_flops(a.context, a.attended) / (a.gpu_flops * a.student_use)
    return products + a.logit_passes * a.student.vocabulary * 4 / a.gpu_bytes


def passes_that_pay(a: Assumptions, name: str) -> float:
    """Passes over the text from which a cache is cheaper than a teacher beside; inf if never.

    Raises:
        ValueError: unless ``name`` is one of ``CACHES``.
    """
    if name not in CACHES:
        raise ValueError(f"name is {name!r}; it must be one of {', '.join(CACHES)}")
    cached, beside = bills(a)[name], bills(a)["teacher beside"]
    cached_hours, beside_hours = cached.student_hours, beside.gpu_hours
    saved = (beside_hours - cached_hours) / a.passes * a.gpu_hour
    once = cached.dollars - cached_hours * a.gpu_hour
    return once / saved if saved > 0 else math.inf


def state_bytes(a: Assumptions, shards: int = 1) -> dict[str, float]:
    """Bytes on one GPU of the student's training state and of the teacher's weights.

    Both are split into ``shards``: with ZeRO stage 3 or FSDP the number of GPUs, with DDP 1.
    """
    return {
        "student": a.student.parameters * a.trained_bytes / shards,
        "teacher": a.teacher.parameters * a.frozen_bytes / shards,
    }


def traffic_bytes(a: Assumptions, ranks: int, sharded: bool) -> dict[str, float]:
    """Bytes that one GPU sends in one step of ``ranks`` GPUs, with ring algorithms.

    Replicated (DDP): an all-reduce of the student's gradients, two turns of the ring; no traffic
    for the teacher. Sharded (FSDP2): all-gathers of the student's weights for forward and backward
    and a reduce-scatter of its gradients, three turns; one all-gather of the teacher's weights.
    """
    turn = a.wire_bytes * (ranks - 1) / ranks
    return {
        "student": (3 if sharded else 2) * turn * a.student.parameters,
        "teacher": (1 if sharded else 0) * turn * a.teacher.parameters,
    }


def step_seconds(a: Assumptions, ranks: int, sharded: bool) -> dict[str, float]:
    """Seconds of compute and network of one step with the teacher beside; ideally they overlap."""
    return {
        "compute": a.step_tokens * (student_seconds(a) + teacher_seconds(a)),
        "network": sum(traffic_bytes(a, ranks, sharded).values()) / a.link,
    }
