"""Which token an output slot means: the same one in teacher and student, and one that exists.

A distribution is compared slot by slot, so slot 17 must mean the same in both models. And a model
may have more slots than its tokenizer has tokens, added to make a matrix's size round. Such a slot
is no token: it gets probability 0 (logit -inf), which is done by cutting it off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kdlib.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Says the same in both tokenizers only if their merges and their splitting rules agree too.
PROBE = "It's 1790:\n\n\tthe State of the UNION, naïve co-operation…  4,096 words"


def check_same_tokens(
    teacher_tokenizer: PreTrainedTokenizerBase, student_tokenizer: PreTrainedTokenizerBase
) -> None:
    """Compare the token-to-id maps, and how a probe is cut up. Equal sizes prove nothing: two
    tokenizers of 32,000 entries may agree on hardly one. Raises UserError with the reason."""
    teacher, student = teacher_tokenizer.get_vocab(), student_tokenizer.get_vocab()
    differing = [t for t in teacher.keys() | student.keys() if teacher.get(t) != student.get(t)]
    if differing:
        example = min(differing)
        raise UserError(
            f"student: its tokenizer differs from the teacher's in {len(differing)} entries"
            f" (for example {example!r}: {teacher.get(example)} and {student.get(example)});"
            f" a student must use the teacher's tokenizer{_classes(teacher_tokenizer, student_tokenizer)}"
        )
    cuts = [
        t(PROBE, add_special_tokens=False).input_ids for t in (teacher_tokenizer, student_tokenizer)
    ]
    if cuts[0] != cuts[1]:
        raise UserError(
            "student: its tokenizer has the teacher's entries but cuts text up otherwise"
            f" ({len(cuts[1])} tokens where the teacher's makes {len(cuts[0])});"
            f" a student must use the teacher's tokenizer{_classes(teacher_tokenizer, student_tokenizer)}"
        )


def _classes(teacher: object, student: object) -> str:
    """Of equal files transformers may make different tokenizers: it picks a class by the model."""
    names = [type(tokenizer).__name__ for tokenizer in (teacher, student)]
    if names[0] == names[1]:
        return ""
    return f" (transformers reads the teacher's as {names[0]} and the student's as {names[1]})"


def token_slots(tokenizer: PreTrainedTokenizerBase) -> int:
    """How many output slots a model needs for this tokenizer: the highest id, and one."""
    highest: int = max(tokenizer.get_vocab().values())
    return highest + 1


def surplus_slots(model: nn.Module, tokenizer: PreTrainedTokenizerBase) -> int:
    """How many output slots stand beyond the tokenizer. UserError where there are too few."""
    config: Any = model.config  # of transformers: torch knows it as a module or a tensor
    slots, needed = int(config.vocab_size), token_slots(tokenizer)
    if slots < needed:
        raise UserError(
            f"model: it has {slots} output slots and its tokenizer ids up to {needed - 1};"
            " the tokenizer belongs to another model"
        )
    return slots - needed


def trim_vocabulary(model: Any, tokenizer: PreTrainedTokenizerBase) -> Any:
    """Cut the slots beyond the tokenizer off, in place: the softmax over the rest is exactly what
    logits of -inf in those slots would give."""
    if surplus_slots(model, tokenizer):
        trainable = [p.requires_grad for p in model.parameters()]
        model.resize_token_embeddings(token_slots(tokenizer))
        for parameter, was_trainable in zip(model.parameters(), trainable):
            parameter.requires_grad_(was_trainable)
    return model


@torch.no_grad()
def surplus_mass(model: nn.Module, tokenizer: PreTrainedTokenizerBase, ids: Tensor) -> float:
    """The probability, on average over ids (B, S), that the model gives to what is no token."""
    if not surplus_slots(model, tokenizer):
        return 0.0
    probabilities = model(input_ids=ids).logits.float().softmax(-1)
    return float(probabilities[..., token_slots(tokenizer) :].sum(-1).mean())
