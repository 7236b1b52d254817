"""What a report contains: every number with its unit and its meaning, and the check of a report.

`FIELDS` is the single source. It documents the numbers, fixes the order of the keys, says which are
required, and becomes the glossary on the report's page.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

FORMAT = "kdlib-report-2"
# The student once more: taught on given text only, and without a teacher.
OFF_POLICY = ("off_policy_equal_tokens", "off_policy_equal_compute")
CONTROLS = ("control_equal_steps", "control_equal_compute", "control_patient")
NGRAM = "ngram"
TWINS = (*OFF_POLICY, *CONTROLS)
RIVALS = (*TWINS, NGRAM)
LEARNERS = ("student", *TWINS)
MODELS = ("teacher", *LEARNERS)
SPLITS = ("training", "student_training", "validation", "test")
GROUPS = {
    "MODEL": MODELS,
    "LEARNER": LEARNERS,
    "CONTROL": CONTROLS,
    "TWIN": TWINS,
    "RIVAL": RIVALS,
    "SPLIT": SPLITS,
}
# Only whole parts may be absent: a part that is present must be complete.
MAY_BE_ABSENT = {
    *RIVALS,
    *("gap_closed", "agreement_lead", "where_lost", "passage", "prefixes", "writing"),
    *("own_lead", "answers", "by_answer"),
}
# These compare two distributions over the same tokens, slot by slot.
NEED_ONE_TOKENIZER = {"forward_kl", "reverse_kl", "top1_agreement", "top5_agreement"}


class Field(NamedTuple):
    """One documented key of a report.

    Attributes:
        unit: its unit, as the glossary shows it.
        meaning: what it is, in a sentence of the glossary.
        optional: whether a complete report may lack it.
    """

    unit: str
    meaning: str
    optional: bool = False


# MODEL, LEARNER, CONTROL, TWIN, RIVAL and SPLIT stand for every name of their group, * for any keys below.
# fmt: off
FIELDS = {
    "format": Field("text", "version of this file's layout"),
    "name": Field("text", "the recipe's name"),
    "recipe.*": Field("as in the recipe", "what was asked for; `kdlib distill --help` explains each field"),
    "seed": Field("integer", "the seed from which all randomness of the run follows"),
    "verdict.worth": Field("text", "was the teacher worth it: yes, no, cannot_tell or no_control; the rule is in kdlib.reports.verdict"),
    "verdict.against": Field("text", "the rival that decides: the strongest of the controls and the n-gram", True),
    "verdict.sentences": Field("text", "the verdict in words, the headline first"),
    "versions.*": Field("text", "software that made the run"),
    "machine.device": Field("text", "where the models ran: cpu, cuda or mps"),
    "machine.processor": Field("text", "the processor's name"),
    "machine.threads": Field("threads", "processor threads of the training, the fewest if it was resumed with fewer"),
    "machine.precision": Field("text", "number format of the matrix products"),
    "machine.loss_pass": Field("text", "form of the loss's element-wise pass: compiled or eager", True),
    "machine.accelerator.name": Field("text", "the GPU's name", True),
    "machine.accelerator.memory_gb": Field("GB", "its memory, in units of 10^9 bytes", True),
    "machine.accelerator.count": Field("GPUs", "how many of them the run used, one per process", True),
    "data.text": Field("text", "the text's name"),
    "data.SPLIT.sha256": Field("text", "checksum of the split's documents, in their order"),
    "data.SPLIT.documents": Field("documents", "number of documents in the split"),
    "data.SPLIT.bytes": Field("bytes", "size of the split as UTF-8 text"),
    "data.SPLIT.tokens": Field("tokens", "size of the split after tokenisation"),
    "MODEL.cross_entropy": Field("nats per token", "mean of -ln Q(next token) on the test documents; lower is better"),
    "MODEL.perplexity": Field("tokens", "exp(cross_entropy): as unsure as a fair choice among so many tokens"),
    "MODEL.bits_per_byte": Field("bits per byte", "cross-entropy per byte of text: comparable across tokenizers"),
    "LEARNER.forward_kl": Field("nats per token", "KL(teacher || model): punishes missing what the teacher finds likely"),
    "LEARNER.reverse_kl": Field("nats per token", "KL(model || teacher): punishes likely tokens that the teacher rejects"),
    "LEARNER.top1_agreement": Field("share", "how often the model's likeliest token is the teacher's"),
    "LEARNER.top5_agreement": Field("share", "mean share of the teacher's five likeliest tokens among the model's five"),
    "MODEL.ece": Field("share", "expected calibration error: mean distance of confidence and accuracy over 15 bins"),
    "MODEL.ece_floor": Field("share", "what chance alone gives a perfectly calibrated model with the same confidences"),
    "MODEL.calibration.confidence": Field("share", "mean probability of the likeliest token in each bin of 30 tokens or more"),
    "MODEL.calibration.accuracy": Field("share", "how often that token was right in each bin"),
    "MODEL.calibration.low": Field("share", "lower end of the 95 % interval of this rate"),
    "MODEL.calibration.high": Field("share", "upper end of that interval"),
    "MODEL.calibration.share": Field("share", "share of all predictions in each bin"),
    "MODEL.parameters": Field("parameters", "distinct numbers in its weights; a tied matrix counts once"),
    "LEARNER.trainable_parameters": Field("parameters", "those in its adapters (LoRA), which alone were trained and then merged", True),
    "LEARNER.training_bytes": Field("bytes", "its weights, and of those trained the gradients and AdamW's two moments: counted; present with adapters", True),
    "MODEL.bytes_on_disk": Field("bytes", "size of the saved weights"),
    "MODEL.tokens_per_second": Field("tokens per second", "speed of the forward pass: warm, in turn, the fastest of five"),
    "MODEL.steps": Field("steps", "optimiser steps taken; absent for a teacher that came ready-made", True),
    "MODEL.training_tokens": Field("tokens", "tokens trained on, repeats counted, where known", True),
    "student.writing_share": Field("share", "of the seconds of its training, those in which it wrote its own texts", True),
    "teacher.surplus_slots": Field("slots", "output slots beyond the tokenizer, cut off before use", True),
    "teacher.surplus_mass": Field("share", "probability that the teacher gave to them on a block of the test", True),
    "ngram.order": Field("tokens", "length of the longest n-grams of the baseline that counts the student's text"),
    "ngram.entries": Field("n-grams", "distinct n-grams that it keeps"),
    "ngram.counted": Field("share", "of the student's text, that it counted: stretches from all over a large text; absent where it is all", True),
    "ngram.cross_entropy": Field("nats per token", "as of a model"),
    "ngram.perplexity": Field("tokens", "as of a model"),
    "ngram.bits_per_byte": Field("bits per byte", "as of a model"),
    "test_blocks": Field("blocks", "blocks of tokens that the test was cut into"),
    "interval_unit": Field("text", "what the intervals treat as one draw of text: document, or block of a single document"),
    "gap_closed.value": Field("share", "(control - student) / (control - teacher) in cross-entropy, equal-steps control"),
    "gap_closed.low": Field("share", "lower end of its 95 % interval over trainings and documents"),
    "gap_closed.high": Field("share", "upper end of that interval"),
    "gap_closed.trainings": Field("trainings", "seeds in it; with 1, it speaks of this one training only"),
    "gap_closed.units": Field("documents", "documents, or blocks of a single one, in it"),
    "advantage.RIVAL.value": Field("nats per token", "the rival's cross-entropy minus the student's, over all trainings; positive is good"),
    "advantage.RIVAL.low": Field("nats per token", "lower end of its 95 % interval over trainings and documents"),
    "advantage.RIVAL.high": Field("nats per token", "upper end of that interval"),
    "advantage.RIVAL.trainings": Field("trainings", "seeds in it; with 1, it speaks of this one training only"),
    "advantage.RIVAL.units": Field("documents", "documents, or blocks of a single one, in it"),
    "agreement_lead.CONTROL.value": Field("share", "the student's top-1 agreement minus the control's, of the first seed; positive is good"),
    "agreement_lead.CONTROL.low": Field("share", "lower end of its 95 % interval over documents"),
    "agreement_lead.CONTROL.high": Field("share", "upper end of that interval"),
    "agreement_lead.CONTROL.trainings": Field("trainings", "seeds in it: 1"),
    "agreement_lead.CONTROL.units": Field("documents", "documents, or blocks of a single one, in it"),
    "where_lost.frequency.first": Field("occurrences", "how often the rarest token of each bin occurs in the student's lesson; 0 is never"),
    "where_lost.frequency.last": Field("occurrences", "how often the commonest token of each bin occurs there"),
    "where_lost.frequency.tokens": Field("tokens", "test tokens in each bin; about a quarter of those that occur in the lesson"),
    "where_lost.frequency.LEARNER.forward_kl": Field("nats per token", "mean KL(teacher || model) in each bin"),
    "where_lost.frequency.LEARNER.excess": Field("nats per token", "mean loss minus the teacher's in each bin"),
    "where_lost.position.first": Field("tokens", "fewest tokens before the predicted one, in its block, in each bin"),
    "where_lost.position.last": Field("tokens", "most tokens before it"),
    "where_lost.position.tokens": Field("tokens", "test tokens in each bin"),
    "where_lost.position.LEARNER.forward_kl": Field("nats per token", "mean KL(teacher || model) in each bin"),
    "where_lost.position.LEARNER.excess": Field("nats per token", "mean loss minus the teacher's in each bin"),
    "where_lost.document.name": Field("text", "the test documents"),
    "where_lost.document.tokens": Field("tokens", "test tokens in each document"),
    "where_lost.document.LEARNER.forward_kl": Field("nats per token", "mean KL(teacher || model) in each document"),
    "where_lost.document.LEARNER.excess": Field("nats per token", "mean loss minus the teacher's in each document"),
    "by_answer.turn.first": Field("number", "of records: which answer of its conversation, in each bin"),
    "by_answer.turn.last": Field("number", "the last of them"),
    "by_answer.turn.tokens": Field("tokens", "test tokens in each bin"),
    "by_answer.turn.MODEL": Field("nats per token", "mean cross-entropy in each bin"),
    "by_answer.turn.ngram": Field("nats per token", "the same of the n-gram", True),
    "by_answer.length.first": Field("tokens", "of records: length of the shortest answer in each bin, its stop token included"),
    "by_answer.length.last": Field("tokens", "of the longest"),
    "by_answer.length.tokens": Field("tokens", "test tokens in each bin"),
    "by_answer.length.MODEL": Field("nats per token", "mean cross-entropy in each bin"),
    "by_answer.length.ngram": Field("nats per token", "the same of the n-gram", True),
    "prefixes.text.LEARNER.forward_kl": Field("nats per token", "mean KL(teacher || model) at the tokens of test blocks, each behind its own block's words"),
    "prefixes.text.LEARNER.reverse_kl": Field("nats per token", "mean KL(model || teacher) there"),
    "prefixes.teacher.LEARNER.forward_kl": Field("nats per token", "the same where the teacher wrote the words; summed over a text it is the KL of whole texts, forward"),
    "prefixes.teacher.LEARNER.reverse_kl": Field("nats per token", "mean KL(model || teacher) there"),
    "prefixes.own.LEARNER.forward_kl": Field("nats per token", "the same where the model itself wrote the words"),
    "prefixes.own.LEARNER.reverse_kl": Field("nats per token", "mean KL(model || teacher) there; summed over a text it is the KL of whole texts, reverse"),
    "own_lead.TWIN.value": Field("nats per token", "the twin's reverse KL on its own words minus the student's on its own, of the first seed; positive is good"),
    "own_lead.TWIN.low": Field("nats per token", "lower end of its 95 % interval over texts"),
    "own_lead.TWIN.high": Field("nats per token", "upper end of that interval"),
    "own_lead.TWIN.trainings": Field("trainings", "seeds in it: 1"),
    "own_lead.TWIN.units": Field("texts", "texts that each has written, from the same beginnings"),
    "writing.MODEL.entropy": Field("nats per token", "how unsure a model is while it writes, at temperature 1"),
    "writing.MODEL.repeated": Field("share", "runs of four tokens that the same text has had before"),
    "writing.MODEL.distinct": Field("share", "different pairs of neighbours among all pairs that it wrote"),
    "answers.problems": Field("problems", "of the test, whose answers a program has checked; the models answer with the likeliest token each time"),
    "answers.right.MODEL": Field("share", "right answers, over all trainings"),
    "answers.lead.TWIN.value": Field("share", "the student's share of right answers minus the twin's, over all trainings; positive is good"),
    "answers.lead.TWIN.low": Field("share", "lower end of its 95 % interval over trainings and problems"),
    "answers.lead.TWIN.high": Field("share", "upper end of that interval"),
    "answers.lead.TWIN.trainings": Field("trainings", "seeds in it; with 1, it speaks of this one training only"),
    "answers.lead.TWIN.units": Field("problems", "problems in it"),
    "answers.trainings.seed": Field("integer", "the seed of a training"),
    "answers.trainings.LEARNER": Field("share", "right answers of each learner of that seed"),
    "trainings.seed": Field("integer", "the seed of a training of student and controls"),
    "trainings.LEARNER": Field("nats per token", "the cross-entropy of each learner of that seed"),
    "targets.bytes_per_token": Field("bytes per token", "size on disk of the teacher's sparse targets", True),
    "targets.readings_saved": Field("blocks", "readings of a block by the teacher that the cache spared", True),
    "operations.teacher": Field("operations", "multiplications and additions of training the teacher; in no control's budget", True),
    "operations.teacher_pass": Field("operations", "of the teacher's forward passes made ahead of the student's training", True),
    "operations.LEARNER": Field("operations", "of training it; for the student with the teacher's part in each step", True),
    "operations.other_seeds": Field("operations", "of training student and controls with the further seeds", True),
    "seconds.tokenizer": Field("seconds", "training the tokenizer and cutting the text into blocks", True),
    "seconds.teacher": Field("seconds", "training or loading the teacher", True),
    "seconds.teacher_pass": Field("seconds", "the teacher's forward passes made ahead of the student's training", True),
    "seconds.LEARNER": Field("seconds", "training it", True),
    "seconds.other_seeds": Field("seconds", "training student and controls with the further seeds", True),
    "seconds.evaluation": Field("seconds", "measuring everything above", True),
    "seconds.total": Field("seconds", "the sum of these: without what was spent on starting and on saving"),
    "peak_memory_bytes": Field("bytes", "most memory that the process held at one time"),
    "peak_accelerator_bytes": Field("bytes", "most memory that tensors held on the GPU at one time", True),
    "passage.document": Field("text", "the test document of a passage that all models were read on"),
    "passage.tokens": Field("text", "the passage, token by token"),
    "passage.counted": Field("integer", "1 for a token of an answer, 0 for what is only read; of records", True),
    "passage.MODEL.nll": Field("nats", "-ln Q of each of its tokens after those before it in its block"),
    "passage.MODEL.top5": Field("text", "the five tokens that the model found likeliest in each one's place"),
    "passage.MODEL.probability": Field("share", "their probabilities"),
    "samples.prompt": Field("text", "the start of a test document, or what a test record asks", True),
    "samples.reference": Field("text", "the answer that a test record gives", True),
    "samples.MODEL": Field("text", "how the model goes on from the prompt", True),
}
# fmt: on


def _paths() -> dict[str, str]:
    """Every documented path, with the names of its group filled in -> its key in FIELDS."""
    paths = {}
    for key in FIELDS:
        group = next((part for part in key.split(".") if part in GROUPS), "")
        for name in GROUPS.get(group, [""]):
            paths[key.replace(group, name) if group else key] = key
    return paths


PATHS = _paths()


def field_of(path: str) -> str | None:
    """The key of `FIELDS` that documents a path.

    Args:
        path: keys joined by dots, such as "student.cross_entropy".

    Returns:
        The key, or None if the path is not documented.
    """
    whole_part = path.split(".")[0] + ".*"
    return whole_part if whole_part in FIELDS else PATHS.get(path)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf of a tree, with its path.

    Args:
        value: nested dictionaries and lists.
        path: the path of `value` itself.

    Yields:
        Path (keys joined by dots) and leaf; the items of a list share the list's path, and an
        empty list is a leaf.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for item in value:
            yield from leaves(item, path)
    else:
        yield path, value


def validate(report: dict[str, Any]) -> None:
    """Check that a report is complete and documented.

    Args:
        report: as `report.json` will hold it.

    Raises:
        ValueError: naming the key, for another format, for a missing, undocumented or non-finite
            number, for a null outside the recipe, and for any other type.
    """
    if report.get("format") != FORMAT:
        raise ValueError(f"format: {report.get('format')!r} is not {FORMAT!r}")
    present = {f"{part}.*" for part in report}
    for path, value in leaves(report):
        present.add(path)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value):
                raise ValueError(f"{path}: {value} is not finite, so the report was not written")
            if field_of(path) is None:
                raise ValueError(
                    f"{path}: this number is not documented; add it to FIELDS in {__name__}"
                )
        elif value is None and not path.startswith("recipe."):
            raise ValueError(f"{path}: null says nothing; leave the key out")
        elif value != [] and not isinstance(value, str | bool | None):
            raise ValueError(f"{path}: {type(value).__name__} is not a text or a number")
    missing = [path for path in _required(report) if path not in present]
    if missing:
        raise ValueError(f"report: {', '.join(missing)} missing")


def _required(report: dict[str, Any]) -> Iterator[str]:
    """The paths that this report must have, given its recipe and the parts that it has."""
    absent = {part for part in MAY_BE_ABSENT if part not in report}
    if report["recipe"].get("student", {}).get("cross_tokenizer"):
        absent |= NEED_ONE_TOKENIZER
    for path, key in PATHS.items():
        if not FIELDS[key].optional and absent.isdisjoint(path.split(".")):
            yield path


def in_order(value: Any, path: str = "") -> Any:
    """Sort the keys of a report.

    Args:
        value: the report, or a part of it.
        path: the path of that part, ending in a dot.

    Returns:
        The same content with its keys in the order of `FIELDS`; those of the recipe keep theirs.
    """
    if isinstance(value, list):
        return [in_order(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    keys = sorted(value, key=lambda key: _place(path + key))  # stable: equals keep their order
    return {key: in_order(value[key], f"{path}{key}.") for key in keys}


def _place(path: str) -> int:
    """Position in FIELDS of `path` or of the first path below it."""
    below = (place for place, known in enumerate(PATHS) if f"{known}.".startswith(f"{path}."))
    return next(below, len(PATHS))
