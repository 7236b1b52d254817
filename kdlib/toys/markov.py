"""A language with one word of memory, and what can be known about it exactly.

The next word depends on the last word and on the context, a string such as "plain fox" of which
each word may shift the odds. So what is only estimated for a real language is computed here, over
whole stories and in polynomial time: the entropy of the source, a student's cross-entropy and KL to
it. The languages themselves are in `worlds`, students of this kind in `toy_students`.

Word and state are one: row i of `log_rows` is the distribution of the word after word i, and the
row of eos is that of the first word. Losses are in nats per story.
"""

from typing import Any

import torch
from torch import Tensor

from kdlib.losses.divergences import cross_entropy, entropy, forward_kl
from kdlib.sequences.exact import AutoregressiveModel, Sequences, at_least, sample_sequences
from kdlib.sequences.losses import Divergence, Leader, chain_rule_loss, check_along, check_pair


class MarkovModel:
    """A language in which the next word depends on the last word and the context only.

    Subclasses set words, eos_id and context_words and define `log_rows`; the rest follows from it.
    """

    words: tuple[str, ...]
    eos_id: int
    context_words: tuple[str, ...]

    def log_rows(self, context: str | None = None) -> Tensor:
        """Log-probabilities (V, V) of the next word given the last: row `eos_id` begins a story."""
        raise NotImplementedError

    # ------------------------------------------------------------ the model as sequences.py sees it

    @property
    def vocab_size(self) -> int:
        return len(self.words)

    def next_log_probs(self, prefixes: Tensor, context: str | None = None) -> Tensor:
        """Log-probabilities (N, V) of the word after each prefix (N, t) of word ids."""
        last = prefixes[:, -1] if prefixes.shape[1] else torch.full((len(prefixes),), self.eos_id)
        return self.log_rows(context)[last]

    def position_log_probs(self, tokens: Tensor, context: str | None = None) -> Tensor:
        """Log-probabilities (N, L, V) of the word at each position of (N, L), given the past."""
        start = torch.full((len(tokens), 1), self.eos_id)
        return self.log_rows(context)[torch.cat([start, tokens[:, :-1]], dim=1)]

    # ------------------------------------------------------------ exact quantities

    def visits(self, context: str | None = None, length: int | None = None) -> Tensor:
        """Expected number of times (V,) that a story goes on after each word; for eos, begins: 1.

        v = start + A^T v, A the rows without their eos column; over whole stories or, with
        `length`, over their first `length` words. Their sum is the expected number of words, "."
        included.

        Raises: ValueError when stories do not end and no length is given; for length < 1.
        """
        rows = self.log_rows(context).exp()
        goes_on = rows * (torch.arange(self.vocab_size) != self.eos_id)
        identity = torch.eye(self.vocab_size, dtype=rows.dtype)
        start = identity[self.eos_id]
        if length is None:
            visits: Tensor
            visits, failed = torch.linalg.solve_ex(identity - goes_on.T, start)
            if failed or not 0 < visits.sum() < 1e9:
                raise ValueError(
                    f"length is None and stories in context {context!r} never end: give a length"
                )
            return visits
        at_least("length", length, 1)
        steps = [start]
        for _ in range(length - 1):
            steps.append(steps[-1] @ goes_on)
        return torch.stack(steps).sum(dim=0)

    def entropy(self, context: str | None = None, length: int | None = None) -> Tensor:
        """H(P) of a story or of its first `length` words, exact: sum of visits(s) H(P(.|s))."""
        return (self.visits(context, length) * entropy(self.log_rows(context))).sum()

    def cross_entropy(
        self, student: AutoregressiveModel, context: str | None = None, **options: Any
    ) -> Tensor:
        """F2, exact: `expected_loss` with cross_entropy."""
        return self.expected_loss(student, cross_entropy, context, **options)

    def kl(
        self, student: AutoregressiveModel, context: str | None = None, **options: Any
    ) -> Tensor:
        """F5, KL(P||Q) over stories, exact: `expected_loss` with forward_kl."""
        return self.expected_loss(student, forward_kl, context, **options)

    def expected_loss(
        self,
        student: AutoregressiveModel,
        divergence: Divergence = forward_kl,
        context: str | None = None,
        *,
        student_context: Any = None,
        length: int | None = None,
        along: Leader = "teacher",
    ) -> Tensor:
        """Exact sum of the next-word divergences of a story, self being the teacher; with gradient.

        sum over s of visits(s) divergence(P(.|s,x), Q(.|s,x')), for Markov students, in O(V^3); for
        others by `chain_rule_loss` over all possible prefixes, which needs a `length`. The student
        reads `student_context`, or the same as the teacher when None ("" is the empty context).
        `along="student"` weighs the states by the student's own visits: what it meets when it
        writes.

        Raises: ValueError when the student is not Markov and no length is given; when the two
        disagree on V or eos; for an unknown `along`.
        """
        check_pair(self, student)
        check_along(along)
        student_context = context if student_context is None else student_context
        if not isinstance(student, MarkovModel):
            if length is None:
                raise ValueError(
                    "length is None and the student remembers more than one word: give a length"
                )
            return chain_rule_loss(
                self,
                student,
                length,
                divergence,
                teacher_context=context,
                student_context=student_context,
                along=along,
            )
        leader, leader_context = (
            (self, context) if along == "teacher" else (student, student_context)
        )
        visits = leader.visits(leader_context, length)
        met = visits > 0  # a state that is never met may have an infinite divergence
        losses = divergence(self.log_rows(context)[met], student.log_rows(student_context)[met])
        return (visits[met] * losses).sum()

    # ------------------------------------------------------------ data and words

    def sample(
        self, samples: int, context: str | None = None, *, length: int = 20, seed: int = 0
    ) -> Sequences:
        """`samples` stories of at most `length` words, the same for the same seed."""
        return sample_sequences(self, length, samples, torch.Generator().manual_seed(seed), context)

    def dataset(
        self, contexts: list[str], samples: int, *, length: int = 20, seed: int = 0
    ) -> dict[str, Sequences]:
        """`samples` stories for each context: D if these are x = (c, z), D' if x' = (c', z)."""
        generator = torch.Generator().manual_seed(seed)
        return {
            context: sample_sequences(self, length, samples, generator, context)
            for context in contexts
        }

    def transition_counts(self, stories: Sequences, labels: Tensor | None = None) -> Tensor:
        """How often (V, V) each word was followed by each label, by default the story's own words.

        With noisy labels (N, L) the rows stay the true previous words: only the target is wrong.
        """
        start = torch.full((len(stories.tokens), 1), self.eos_id)
        previous = torch.cat([start, stories.tokens[:, :-1]], dim=1)[stories.mask]
        label = (stories.tokens if labels is None else labels)[stories.mask]
        pairs = previous * self.vocab_size + label
        counts = pairs.bincount(minlength=self.vocab_size**2).double()
        return counts.view(self.vocab_size, self.vocab_size)

    def ids(self, text: str) -> Tensor:
        """Word ids (t,) of a text whose words are separated by spaces.

        Raises: ValueError for a word that this world does not know.
        """
        return torch.tensor(word_positions("text", text, self.words), dtype=torch.int64)

    def text(self, tokens: Tensor) -> str | list[str]:
        """The words of ids (L,) up to the first eos, a string; of (N, L), a list of strings."""
        if tokens.ndim == 2:
            return [str(self.text(row)) for row in tokens]
        ids = tokens.tolist()
        stop = ids.index(self.eos_id) + 1 if self.eos_id in ids else len(ids)
        return " ".join(self.words[i] for i in ids[:stop])

    def next_words(
        self, prefix: str = "", context: str | None = None, top: int = 5
    ) -> list[tuple[str, float]]:
        """The `top` most probable words after a text with their probabilities, none of them 0."""
        p = self.next_log_probs(self.ids(prefix)[None], context)[0].exp()
        ranked = sorted(zip(p.tolist(), self.words), reverse=True)
        return [(word, share) for share, word in ranked[:top] if share > 0]

    def context_ids(self, context: str | None) -> list[int]:
        """Positions in `context_words` of the words of a context; None and "" are the empty one.

        Raises: ValueError for a word that contexts do not have.
        """
        return word_positions("context", context or "", self.context_words)


def word_positions(name: str, text: str, known: tuple[str, ...]) -> list[int]:
    """Where each word of a text stands in `known`. Raises: ValueError for a word not there."""
    unknown = [word for word in text.split() if word not in known]
    if unknown:
        allowed = " ".join(known) or "none"
        raise ValueError(
            f"{name} is {text!r}: unknown {unknown}; the words allowed here are: {allowed}"
        )
    return [known.index(word) for word in text.split()]
