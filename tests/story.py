"""The story world and what the tests of the toy languages share."""

import torch

from kdlib.toys.worlds import story_world

STORY = story_world()
EXACT = {"rel": 0, "abs": 1e-12}
CONTEXTS = ["", "fox", "plain fox", "ornate owl", "sea child", "forest sailor"]


def rows(world, context=None):
    """The transition matrix as plain NumPy probabilities."""
    return world.log_rows(context).exp().numpy()


def close(a, b, tolerance=1e-12):
    torch.testing.assert_close(a, b, rtol=0, atol=tolerance)
