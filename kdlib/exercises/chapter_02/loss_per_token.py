"""A mean over a corpus that does not depend on how it is cut."""

import torch

from kdlib.exercises.authoring.inputs import positive
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q13",),
    difficulty=3,
    minutes=8,
    prompt=(
        "Write `loss_per_token(batches)`: the mean token loss over a whole corpus. `batches` is "
        "a list of batches, each a list of 1-d tensors: the token losses of one sentence. "
        "Sentences and batches have different sizes, and every token weighs the same."
    ),
    hints=(
        "If every token weighs the same, it must not matter how the corpus is cut into batches.",
        "Keep two numbers while you go: a sum and a count.",
        "Add sentence.sum() to one and len(sentence) to the other; divide once, at the end.",
    ),
    explanation="A sum and a count can be added up over batches and machines; means cannot.",
)
def loss_per_token(batches):
    """Mean loss of all tokens of all sentences of all batches. -> scalar"""
    total = sum(float(sentence.sum()) for batch in batches for sentence in batch)
    count = sum(len(sentence) for batch in batches for sentence in batch)
    return total / count


def _sentences(lengths: list[int], seed: int):
    return [positive(length, seed=seed + i) for i, length in enumerate(lengths)]


loss_per_token.probe("batches of 1 and 9 tokens", [_sentences([1], 81), _sentences([4, 5], 82)])
loss_per_token.probe(
    "three batches", [_sentences([2, 7, 1], 83), _sentences([3], 86), _sentences([6, 2], 88)]
)
loss_per_token.probe("one batch", [_sentences([3, 8], 91)])
loss_per_token.probe("one sentence", [_sentences([6], 93)])
loss_per_token.probe(
    "tokens without loss, and losses that recur",
    [[torch.tensor([0.0, 0.0, 1.5, 1.0])], [torch.tensor([0.5, 0.5]), torch.tensor([0.0])]],
)
loss_per_token.probe(
    "equal losses", [[torch.full((2,), 0.5)], [torch.full((5,), 0.5), torch.full((1,), 0.5)]]
)


@loss_per_token.also
def loss_per_token_concatenated(batches):
    return torch.cat([sentence for batch in batches for sentence in batch]).mean()


def _mean(numbers):
    numbers = [float(x) for x in numbers]
    return sum(numbers) / len(numbers)


def _sentences_of(batches):
    return [sentence for batch in batches for sentence in batch]


def _count(batches):
    return sum(len(sentence) for sentence in _sentences_of(batches))


loss_per_token.mistakes(
    ("mean-of-means",
     "cutting the corpus into other batches changes the result: batches weigh the same",
     "every token weighs the same, in whichever batch it is",
     lambda batches: _mean(torch.cat(batch).mean() for batch in batches)),
    ("mean-of-means", "a token in a short sentence weighs more: sentences weigh the same",
     "every token weighs the same, in whichever sentence it is",
     lambda batches: _mean(sentence.mean() for sentence in _sentences_of(batches))),
    ("mean-of-means", "means are taken three times: of sentences, of batches, of the corpus",
     "one division, at the end",
     lambda batches: _mean(_mean(sentence.mean() for sentence in batch) for batch in batches)),
    ("sum-for-mean", "equal token losses of 0.5 do not give 0.5; the result grows with the corpus",
     "a mean, which lies between the smallest and the largest token loss",
     lambda batches: sum(sentence.sum() for sentence in _sentences_of(batches))),
    ("sum-for-mean",
     "the result is the loss of a sentence on average: longer sentences look worse",
     "a loss for each token",
     lambda batches: _mean(sentence.sum() for sentence in _sentences_of(batches))),
    ("batchmean-over-sequences", "the sum is divided by the number of batches",
     "a division by the number of tokens",
     lambda batches: _mean(torch.cat(batch).sum() for batch in batches)),
    ("divided-twice", "the sum of the sentences' means is divided by the number of tokens",
     "each token loss is divided by one count, once",
     lambda batches: sum(s.mean() for s in _sentences_of(batches)) / _count(batches)),
    ("divided-twice", "the mean over all tokens is divided by their number again", "one division",
     lambda batches: loss_per_token.reference(batches) / _count(batches)),
)  # fmt: skip
