"""Perplexity per token and bits per byte."""

import math

from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=2,
    minutes=6,
    prompt=(
        "A model's token losses on a text sum to `nats`, over `tokens` tokens. Write "
        "`bug_two_scores(nats, tokens, text)`: the perplexity per token, and the bits per byte of "
        "the text in UTF-8, which may be compared between models of different tokenizers."
    ),
    hints=(
        "One score is an exponential of a mean, the other is a sum in another unit over a length.",
        "A bit is ln 2 nats. An accented letter is one character and two bytes.",
        "math.exp of the mean loss; nats over math.log(2) over the length of text.encode().",
    ),
)
def bug_two_scores(nats, tokens, text):
    """Perplexity per token, and bits per byte of the UTF-8 text. -> two numbers"""
    return math.exp(nats / tokens), nats / (math.log(2) * len(text.encode("utf-8")))


bug_two_scores.probe("plain English", 21.5, 7, "The cat sat on the mat.")
bug_two_scores.probe("accented letters", 30.25, 9, "Käse für zwölf Brötchen, à part!")
bug_two_scores.probe("three bytes a letter", 12.0, 5, "猫が座った")
bug_two_scores.probe("four bytes a letter", 18.5, 6, "𝄞 😀, 🎻 and 🎺")
bug_two_scores.probe("line ends and separate accents", 25.0, 8, "Cafe\u0301,\r\nou\u0300 ?\r\n\n")
bug_two_scores.probe("a longer text", 88.8, 40, "je suis content, tu es content; " * 4)


@bug_two_scores.also
def two_scores_powers(nats, tokens, text):
    bits = nats * math.log2(math.e)
    return 2 ** (bits / tokens), bits / len(bytearray(text, "utf-8"))


def _scores(perplexity=None, bits_per_byte=None):
    """A named mistake in one of the two results."""

    def scores(nats, tokens, text):
        one, two = bug_two_scores.reference(nats, tokens, text)
        size = len(text.encode())
        one = perplexity(nats, tokens, size) if perplexity else one
        return one, bits_per_byte(nats, tokens, size, text) if bits_per_byte else two

    return scores


name_switches(
    bug_two_scores, _scores,
    ("sum-for-mean", "the perplexity explodes with the length of the text",
     "a perplexity that belongs to one token", {"perplexity": lambda n, t, b: math.exp(n)}),
    ("nats-for-bits", "2 is raised to a power that is in nats",
     "base and unit that belong together", {"perplexity": lambda n, t, b: 2 ** (n / t)}),
    ("log-for-probability", "the first result is the mean loss, the logarithm of what is asked",
     "the number of equally likely tokens that would be as hard to guess among",
     {"perplexity": lambda n, t, b: n / t}),
    ("sign-flipped", "the perplexity is below 1: it is the typical probability of a token",
     "a number of at least 1, larger for a worse model",
     {"perplexity": lambda n, t, b: math.exp(-n / t)}),
    ("nats-for-bits", "the second result is in nats", "bits, of which there are more than nats",
     {"bits_per_byte": lambda n, t, b, text: n / b}),
    ("nats-for-bits", "the conversion to bits goes the wrong way: the number gets smaller",
     "more bits than nats, since a bit is the smaller unit",
     {"bits_per_byte": lambda n, t, b, text: n * math.log(2) / b}),
    ("characters-for-bytes",
     "the second result is per character; it is right only where a letter is one byte",
     "the text as UTF-8 stores it",
     {"bits_per_byte": lambda n, t, b, text: n / math.log(2) / len(text)}),
    ("wrong-size-in-mean", "the second result is per token, so another tokenizer would change it",
     "a length that no tokenizer decides",
     {"bits_per_byte": lambda n, t, b, text: n / math.log(2) / t}),
    ("sum-for-mean", "the second result grows with the length of the text", "bits for one byte",
     {"bits_per_byte": lambda n, t, b, text: n / math.log(2)}),
    ("ratio-turned-round", "the second result falls as the model gets worse: bytes per bit",
     "bits for one byte, more of them for a worse model",
     {"bits_per_byte": lambda n, t, b, text: b * math.log(2) / n}),
    ("characters-for-bytes", "the second result is per word of the text",
     "the text in the unit that it is stored in",
     {"bits_per_byte": lambda n, t, b, text: n / math.log(2) / len(text.split())}),
    ("wrong-size-in-mean", "the perplexity belongs to a byte, not to a token",
     "the mean over the tokens in the exponent", {"perplexity": lambda n, t, b: math.exp(n / b)}),
)  # fmt: skip
