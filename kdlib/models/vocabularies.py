"""What an output slot means: the same token in teacher and student, and one that exists.

Distributions are compared slot by slot, so slot 17 must mean the same token in both models. And a
model may have more slots than its tokenizer has tokens, added to round up a matrix's size. Such a
slot is no token: its probability must be 0 (logit -inf), so it is cut off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kdlib.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Text that is cut up alike only if merges and splitting rules agree too: contractions, digits,
# whitespace, capitals, accents, characters of several bytes.
PROBE = "It's 1790:\n\n\tthe State of the UNION, naïve co-operation…  4,096 words"


def check_same_tokens(
    teacher_tokenizer: PreTrainedTokenizerBase, student_tokenizer: PreTrainedTokenizerBase
) -> None:
    """Check that two tokenizers agree: in their token-to-id maps and in how they cut up a probe.

    Equal sizes prove nothing: two tokenizers of 32,000 entries may agree on hardly one.

    Args:
        teacher_tokenizer: tokenizer of the teacher.
        student_tokenizer: tokenizer of the student.

    Raises:
        UserError: for tokenizers that differ, with the reason.
    """
    teacher, student = teacher_tokenizer.get_vocab(), student_tokenizer.get_vocab()
    # Over both key sets: one tokenizer may know all tokens of the other and some more.
    differing = [t for t in teacher.keys() | student.keys() if teacher.get(t) != student.get(t)]
    if differing:
        example = min(differing)
        raise UserError(
            f"student: its tokenizer differs from the teacher's in {len(differing)} entries"
            f" (for example {example!r}: {teacher.get(example)} and {student.get(example)});"
            " a student must use the teacher's tokenizer"
            f"{_classes(teacher_tokenizer, student_tokenizer)}"
        )
    # Equal maps are not enough: with other merges the same text becomes other tokens, so the ids of
    # one tokenizer would be text that the other model has never seen cut up like this.
    cuts = [
        t(PROBE, add_special_tokens=False).input_ids for t in (teacher_tokenizer, student_tokenizer)
    ]
    if cuts[0] != cuts[1]:
        raise UserError(
            "student: its tokenizer has the teacher's entries but cuts text up otherwise"
            f" ({len(cuts[1])} tokens where the teacher's makes {len(cuts[0])});"
            " a student must use the teacher's tokenizer"
            f"{_classes(teacher_tokenizer, student_tokenizer)}"
        )


def _classes(teacher: object, student: object) -> str:
    """The two classes, if they differ: transformers picks a tokenizer's class by the model, so it
    may make different tokenizers of equal files."""
    names = [type(tokenizer).__name__ for tokenizer in (teacher, student)]
    if names[0] == names[1]:
        return ""
    return f" (transformers reads the teacher's as {names[0]} and the student's as {names[1]})"


def token_slots(tokenizer: PreTrainedTokenizerBase) -> int:
    """How many output slots a model needs for this tokenizer: the highest id plus one."""
    # Not len(tokenizer): ids may have gaps, and a slot below the highest id cannot be cut off.
    highest: int = max(tokenizer.get_vocab().values())
    return highest + 1


def surplus_slots(model: nn.Module, tokenizer: PreTrainedTokenizerBase) -> int:
    """How many output slots a model has beyond its tokenizer's tokens.

    Args:
        model: a model of transformers.
        tokenizer: its tokenizer.

    Returns:
        The number of slots above the tokenizer's highest id.

    Raises:
        UserError: for a model with fewer slots than the tokenizer needs.
    """
    config: Any = model.config  # torch types a module's attributes as Tensor | Module
    slots, needed = int(config.vocab_size), token_slots(tokenizer)
    if slots < needed:
        raise UserError(
            f"model: it has {slots} output slots and its tokenizer ids up to {needed - 1};"
            " the tokenizer belongs to another model"
        )
    return slots - needed


def trim_vocabulary(model: Any, tokenizer: PreTrainedTokenizerBase) -> Any:
    r"""Cut off the slots beyond the tokenizer, in place.

    The softmax over the rest is exactly what logits of :math:`-\infty` in those slots would give.
    Special tokens that the settings name among those slots are no tokens any more.

    Args:
        model: a model of transformers.
        tokenizer: its tokenizer.

    Returns:
        The same model.

    Raises:
        UserError: for a model with fewer slots than the tokenizer needs.
    """
    if surplus_slots(model, tokenizer):
        # Resizing replaces parameters: a frozen teacher must not come back trainable.
        trainable = [p.requires_grad for p in model.parameters()]
        model.resize_token_embeddings(token_slots(tokenizer))
        for parameter, was_trainable in zip(model.parameters(), trainable):
            parameter.requires_grad_(was_trainable)
    for settings in (model.config, getattr(model, "generation_config", None)):
        _forget_tokens_beyond(settings, token_slots(tokenizer))
    return model


def _forget_tokens_beyond(settings: Any, slots: int) -> None:
    """Set to None each special token, of settings in place, that has no slot.

    A padding token without a slot would keep a saved model from being loaded.
    """
    for name, value in list(vars(settings).items()) if settings else []:
        if not name.endswith("_token_id"):
            continue
        if isinstance(value, list):
            setattr(settings, name, [token for token in value if token < slots] or None)
        elif isinstance(value, int) and value >= slots:
            setattr(settings, name, None)


@torch.no_grad()
def surplus_mass(model: nn.Module, tokenizer: PreTrainedTokenizerBase, ids: Tensor) -> float:
    """The probability that the model gives to slots that are no token.

    Args:
        model: a model of transformers, not trimmed.
        tokenizer: its tokenizer.
        ids: (B, S) token ids, on the model's device.

    Returns:
        The mean over all positions, in [0, 1].

    Raises:
        UserError: for a model with fewer slots than the tokenizer needs.
    """
    if not surplus_slots(model, tokenizer):
        return 0.0
    probabilities = model(input_ids=ids, use_cache=False).logits.float().softmax(-1)
    return float(probabilities[..., token_slots(tokenizer) :].sum(-1).mean())
