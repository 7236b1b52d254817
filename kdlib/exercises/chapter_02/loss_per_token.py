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
    "equal losses", [[torch.full((2,), 0.5)], [torch.full((5,), 0.5), torch.full((1,), 0.5)]]
)


@loss_per_token.also
def loss_per_token_concatenated(batches):
    return torch.cat([sentence for batch in batches for sentence in batch]).mean()


def _mean(numbers):
    numbers = [float(x) for x in numbers]
    return sum(numbers) / len(numbers)


@loss_per_token.wrong(
    "mean-of-means",
    seen="cutting the corpus into other batches changes the result: batches weigh the same",
    expected="every token weighs the same, in whichever batch it is",
)
def loss_mean_of_batches(batches):
    return _mean(torch.cat(batch).mean() for batch in batches)


@loss_per_token.wrong(
    "mean-of-means",
    seen="a token in a short sentence weighs more: sentences weigh the same",
    expected="every token weighs the same, in whichever sentence it is",
)
def loss_mean_of_sentences(batches):
    return _mean(sentence.mean() for batch in batches for sentence in batch)


@loss_per_token.wrong(
    "mean-of-means",
    seen="means are taken three times: of sentences, of batches, of the corpus",
    expected="one division, at the end",
)
def loss_mean_of_means_of_means(batches):
    return _mean(_mean(sentence.mean() for sentence in batch) for batch in batches)


@loss_per_token.wrong(
    "sum-for-mean",
    seen="equal token losses of 0.5 do not give 0.5; the result grows with the corpus",
    expected="a mean, which lies between the smallest and the largest token loss",
)
def loss_sum_of_corpus(batches):
    return sum(sentence.sum() for batch in batches for sentence in batch)


@loss_per_token.wrong(
    "sum-for-mean",
    seen="the result is the loss of a sentence on average: longer sentences look worse",
    expected="a loss for each token",
)
def loss_per_sentence(batches):
    return _mean(sentence.sum() for batch in batches for sentence in batch)


@loss_per_token.wrong(
    "batchmean-over-sequences",
    seen="the sum is divided by the number of batches",
    expected="a division by the number of tokens",
)
def loss_per_batch(batches):
    return _mean(torch.cat(batch).sum() for batch in batches)


@loss_per_token.wrong(
    "divided-twice",
    seen="the sum of the sentences' means is divided by the number of tokens",
    expected="each token loss is divided by one count, once",
)
def loss_divided_twice(batches):
    means = sum(sentence.mean() for batch in batches for sentence in batch)
    return means / sum(len(sentence) for batch in batches for sentence in batch)


@loss_per_token.wrong(
    "divided-twice",
    seen="the mean over all tokens is divided by their number again",
    expected="one division",
)
def loss_mean_divided(batches):
    tokens = torch.cat([sentence for batch in batches for sentence in batch])
    return tokens.mean() / len(tokens)
