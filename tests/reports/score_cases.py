"""Made-up scores of a run: what its models said about every token of a text."""

import numpy as np

from kdlib.reports.layout import Layout
from kdlib.reports.score_file import Scores
from kdlib.reports.scores import TokenScores

TOKENS_OF_DOCUMENTS = (5, 3, 4)


def layout(lengths=TOKENS_OF_DOCUMENTS, block=4, first_token=7):
    """Documents of these lengths, cut into blocks."""
    numbers = np.arange(sum(lengths), dtype=np.int32)
    documents = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    return Layout(documents, numbers // block, numbers % block + 1, numbers + first_token)


def token_scores(nll, seed=0):
    """A model with these losses, and anything for the rest."""
    generator, count = np.random.default_rng(seed), len(nll)
    draw = lambda: generator.random(count).astype(np.float32)
    flags = lambda: generator.random(count) < 0.5
    shared = generator.integers(0, 6, count).astype(np.uint8)
    nll = np.asarray(nll, dtype=np.float32)
    return TokenScores(nll, draw(), draw(), flags(), shared, draw(), flags())


def scores(layout_=None, teachers_layout=None, models=("teacher", "student"), **losses):
    """Scores of models with random losses, and of further ones with the given losses."""
    layout_ = layout_ or layout()
    teachers_layout = teachers_layout or layout_
    generator = np.random.default_rng(1)
    of_models = {
        name: token_scores(generator.random(len(where.token)), seed)
        for seed, name in enumerate(models)
        for where in [teachers_layout if name == "teacher" else layout_]
    }
    return Scores(layout_, teachers_layout, 321, of_models, losses)
