"""A language with one word of memory, and its exact entropy, cross-entropy and KL.

The next word depends on the last word and on the context, a string such as "plain fox" in which
each word can shift the odds. Quantities that can only be estimated for a real language are computed
here exactly, over whole stories and in polynomial time: the entropy of the source, and the
cross-entropy and KL of a student. The languages are in `kdlib.toys.worlds`, Markov students in
`kdlib.toys.students`.

The state is the last word: row i of ``log_rows`` is the distribution of the word after word i, and
the row of eos is the distribution of the first word. Losses are in nats per story.
"""

from typing import Any

import torch
from torch import Tensor

from kdlib.losses.divergences import cross_entropy, entropy, forward_kl
from kdlib.sequences.exact import AutoregressiveModel, Sequences, at_least, sample_sequences
from kdlib.sequences.losses import Divergence, Leader, chain_rule_loss, check_along, check_pair


class MarkovModel:
    """A language in which the next word depends only on the last word and the context.

    Subclasses set the attributes and define `log_rows`; the rest follows from these.

    Attributes:
        words: the vocabulary, in the order of the ids.
        eos_id: id of the word that ends a story.
        context_words: the words that a context can contain.
    """

    words: tuple[str, ...]
    eos_id: int
    context_words: tuple[str, ...]

    def log_rows(self, context: str | None = None) -> Tensor:
        """Log-probabilities (V, V) of the next word given the last; row eos_id begins a story."""
        raise NotImplementedError

    # ------------------------------------------------------------ as an AutoregressiveModel

    @property
    def vocab_size(self) -> int:
        """Number of words, V."""
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
        r"""Expected number of times that a story continues after each word.

        .. math:: v = e_{\mathrm{eos}} + A^\top v

        This is for whole stories; A holds the rows without their eos column. The entry of eos
        counts the beginning of the story and is 1. The sum is the expected number of words, "."
        included.

        Args:
            context: of the story.
            length: count over the first ``length`` words; None: over whole stories.

        Returns:
            (V,) expected counts.

        Raises:
            ValueError: for stories that never end if no length is given, or for ``length`` < 1.
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
        r"""Exact entropy of a story, in nats.

        .. math:: H(P) = \sum_s v_s \, H(P(\cdot \mid s)), \qquad v = \text{visits}

        Args:
            context: of the story.
            length: of the first ``length`` words only; None: of whole stories.
        """
        return (self.visits(context, length) * entropy(self.log_rows(context))).sum()

    def cross_entropy(
        self, student: AutoregressiveModel, context: str | None = None, **options: Any
    ) -> Tensor:
        """Exact cross-entropy over stories (F2): `expected_loss` with ``cross_entropy``."""
        return self.expected_loss(student, cross_entropy, context, **options)

    def kl(
        self, student: AutoregressiveModel, context: str | None = None, **options: Any
    ) -> Tensor:
        r"""Exact :math:`\mathrm{KL}(P \,\Vert\, Q)` over stories (F5): `expected_loss`."""
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
        r"""Exact sum of the next-word divergences of a story, with this language as the teacher.

        .. math:: \sum_s v_s \, D(P(\cdot \mid s, x), Q(\cdot \mid s, x')), \qquad v = \text{visits}

        This takes :math:`O(V^3)` for Markov students. Other students go through `chain_rule_loss`
        over all possible prefixes, which needs a ``length``.

        Args:
            student: the model Q.
            divergence: D, of next-word distributions.
            context: what the teacher reads, x.
            student_context: what the student reads, x'; None: the same ("" is the empty context).
            length: only the first ``length`` words; None: whole stories.
            along: whose visits weight the states; "student": those it meets when it generates.

        Returns:
            Scalar, in nats per story, with gradient.

        Raises:
            ValueError: if the student is not Markov and no length is given, if the two differ in V
                or eos, or for an unknown ``along``.
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
        met = visits > 0  # 0 times the infinite divergence of an unvisited state would be NaN
        losses = divergence(self.log_rows(context)[met], student.log_rows(student_context)[met])
        return (visits[met] * losses).sum()

    # ------------------------------------------------------------ data and words

    def sample(
        self, samples: int, context: str | None = None, *, length: int = 20, seed: int = 0
    ) -> Sequences:
        """``samples`` stories of at most ``length`` words, reproducible from ``seed``."""
        return sample_sequences(self, length, samples, torch.Generator().manual_seed(seed), context)

    def dataset(
        self, contexts: list[str], samples: int, *, length: int = 20, seed: int = 0
    ) -> dict[str, Sequences]:
        """``samples`` stories for each context: the data D for x = (c, z), D' for x' = (c', z)."""
        generator = torch.Generator().manual_seed(seed)
        return {
            context: sample_sequences(self, length, samples, generator, context)
            for context in contexts
        }

    def transition_counts(self, stories: Sequences, labels: Tensor | None = None) -> Tensor:
        """How often each word was followed by each label.

        Args:
            stories: N sequences.
            labels: (N, L) ids, such as noisy labels; None: the words of the stories. The rows are
                the true previous words in both cases, so only the target can be wrong.

        Returns:
            (V, V) float64 counts, previous word by label.
        """
        start = torch.full((len(stories.tokens), 1), self.eos_id)
        previous = torch.cat([start, stories.tokens[:, :-1]], dim=1)[stories.mask]
        label = (stories.tokens if labels is None else labels)[stories.mask]
        pairs = previous * self.vocab_size + label
        counts = pairs.bincount(minlength=self.vocab_size**2).double()
        return counts.view(self.vocab_size, self.vocab_size)

    def ids(self, text: str) -> Tensor:
        """Word ids (t,) of a text whose words are separated by spaces.

        Raises:
            ValueError: for a word that is not in the vocabulary.
        """
        return torch.tensor(word_positions("text", text, self.words), dtype=torch.int64)

    def text(self, tokens: Tensor) -> str | list[str]:
        """The words up to the first eos: a string for ids (L,), a list of strings for (N, L)."""
        if tokens.ndim == 2:
            return [str(self.text(row)) for row in tokens]
        ids = tokens.tolist()
        stop = ids.index(self.eos_id) + 1 if self.eos_id in ids else len(ids)
        return " ".join(self.words[i] for i in ids[:stop])

    def next_words(
        self, prefix: str = "", context: str | None = None, top: int = 5
    ) -> list[tuple[str, float]]:
        """The ``top`` most probable words after a text, with their probabilities, all above 0."""
        p = self.next_log_probs(self.ids(prefix)[None], context)[0].exp()
        ranked = sorted(zip(p.tolist(), self.words), reverse=True)
        return [(word, share) for share, word in ranked[:top] if share > 0]

    def context_ids(self, context: str | None) -> list[int]:
        """Positions in ``context_words`` of the words of a context; None and "" are empty.

        Raises:
            ValueError: for a word that is not among them.
        """
        return word_positions("context", context or "", self.context_words)


def word_positions(name: str, text: str, known: tuple[str, ...]) -> list[int]:
    """Position in ``known`` of each word of a text.

    Raises:
        ValueError: for a word that is not in ``known``; the message calls the text ``name``.
    """
    unknown = [word for word in text.split() if word not in known]
    if unknown:
        allowed = " ".join(known) or "none"
        raise ValueError(
            f"{name} is {text!r}: unknown {unknown}; the words allowed here are: {allowed}"
        )
    return [known.index(word) for word in text.split()]
