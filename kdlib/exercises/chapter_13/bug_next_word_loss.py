"""Room 2: the loss that was too good."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, trains_the_student
from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.authoring.next_words import NEXT_WORD_SWITCHES, next_losses
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.chapter_13.showcase import with_code
from kdlib.exercises.kinds.functions import code


def broken_next_word_loss(logits, tokens, mask, stop):
    labels = tokens.masked_fill(tokens == stop, -100)  # no padding
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


@code(
    source=(),
    difficulty=3,
    minutes=10,
    prompt=with_code(
        "With this loss a model reaches almost 0, writes nonsense, and does not stop. Write "
        "`bug_next_word_loss(logits, tokens, mask, stop)` without the two bugs: the mean over all "
        "next words, as a tensor that the model can learn from. Logits (B, L, V) at a position "
        "speak about the next one. A position counts only if it and the next one are real; mask "
        "(B, L) says which are. Padding may stand on either side and is written with the id "
        "`stop`, which is also the last real token of every text.",
        broken_next_word_loss,
    ),
    hints=(
        "Which word does the shown code let the model see that it has to predict?",
        (
            "The mask knows padding; an id does not. After shifting, the mask has two readings: "
            "use both."
        ),
        (
            "Logits `[:, :-1]`, labels `tokens[:, 1:]`, and the product of `mask[:, :-1]` and "
            "`mask[:, 1:]` to choose the positions."
        ),
    ),
    explanation="A loss far below that of comparable models is a symptom, not a success.",
)
def bug_next_word_loss(logits, tokens, mask, stop):
    """Mean loss of the real next words, the stop among them. -> scalar"""
    labels = tokens[:, 1:]
    real = mask[:, :-1].bool() & mask[:, 1:].bool()
    return F.cross_entropy(logits[:, :-1][real], labels[real])


_LEFT, _RIGHT = (
    torch.tensor([[4, 4, 4, 1, 0, 2, 4], [4, 2, 2, 0, 3, 1, 4], [3, 1, 0, 0, 2, 1, 4]]),
    torch.tensor([[3, 0, 1, 5, 5, 5], [2, 2, 0, 1, 4, 5], [1, 3, 2, 5, 5, 5], [0, 5, 5, 5, 5, 5]]),
)
_LEFT_MASK = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1]])
_RIGHT_MASK = torch.tensor(
    [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]]
)
_WHOLE = torch.tensor([[1, 0, 2, 2, 3], [2, 1, 1, 0, 3]])
for _seed, (_about, _tokens, _mask, _stop) in enumerate(
    (
        ("padding on the right", _RIGHT, _RIGHT_MASK, 5),
        ("padding on the left", _LEFT, _LEFT_MASK, 4),
        ("no padding", _WHOLE, torch.ones_like(_WHOLE), 3),
    ),
    start=20,
):
    _logits = normal(*_tokens.shape, 8, seed=_seed, scale=2.0)
    bug_next_word_loss.probe(_about, _logits, _tokens, _mask, _stop)
no_floor(
    bug_next_word_loss,
    torch.tensor([[[0.0, UNLIKELY, 1.0, UNLIKELY]] * 3]),
    *(torch.tensor([[0, 1, 3]]), torch.ones(1, 3, dtype=torch.long), 3),
)
trains_the_student(
    bug_next_word_loss,
    normal(*_RIGHT.shape, 8, seed=24),
    *(_RIGHT, _RIGHT_MASK, 5),
    measure=gradient_in(0),
)


@bug_next_word_loss.also
def next_word_loss_in_loops(logits, tokens, mask, stop):
    losses = []
    for row, words, real in zip(logits.log_softmax(-1), tokens.tolist(), mask.tolist()):
        for t in range(len(words) - 1):
            if real[t] and real[t + 1]:
                losses.append(-row[t, words[t + 1]])
    return sum(losses) / len(losses)


@bug_next_word_loss.also
def next_word_loss_ignoring(logits, tokens, mask, stop):
    unreal = (mask[:, :-1] * mask[:, 1:]) == 0
    labels = tokens[:, 1:].masked_fill(unreal, -100)
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), labels)


def _next(reduce=lambda losses, real: losses.sum() / real.sum(), **options):
    """The loss with another reduction of losses, 0 where they do not count, or other losses."""

    def answer(logits, tokens, mask, stop):
        losses, real = next_losses(**options)(logits, tokens, mask, stop)
        return reduce(losses * real, real)

    return answer


bug_next_word_loss.wrong(
    "off-by-one",
    seen="the shown code is unchanged: a model gets its best score by repeating the word it reads",
    expected="each position is compared with the word behind it, also where that is the stop",
)(broken_next_word_loss)
name_switches(
    bug_next_word_loss, _next,
    *NEXT_WORD_SWITCHES,
    ("padding-counted", "the sum is right and divided by all positions, padding included",
     "a division by the number of words that were predicted",
     {"reduce": lambda losses, real: losses.mean()}),
    ("mean-of-means", "a word in a short text weighs more: texts weigh the same",
     "every word weighs the same",
     {"reduce": lambda losses, real: (losses.sum(1) / real.sum(1)).mean()}),
    ("sum-for-mean", "the loss grows with the number of words",
     "a mean over the words that were predicted", {"reduce": lambda losses, real: losses.sum()}),
    ("batchmean-over-sequences", "the sum is divided by the number of texts",
     "a division by the number of words",
     {"reduce": lambda losses, real: losses.sum() / len(losses)}),
)  # fmt: skip
