"""Students of the world of stories, of seeds that chapter 2 does not use, and their losses."""

import functools

import torch

from kdlib.losses.divergences import forward_kl
from kdlib.toys.students import LowRankStudent, TabularStudent
from kdlib.toys.worlds import story_world

TEACHER = story_world()
HEROES = ("fox", "owl", "child", "sailor")
SEEDS = range(10, 20)  # the chapter has 0 to 9
STYLES = ("plain", "ornate", "sea", "forest", "plain sea", "ornate forest")


class Students(torch.nn.Module):
    """Students of seeds that the chapter does not use, side by side."""

    def __init__(self, rank=8, size=1.0):
        super().__init__()
        ones = [LowRankStudent(TEACHER, rank, seed) for seed in SEEDS]
        for name in ("state", "context", "output"):
            stacked = torch.stack([getattr(one, name).detach() for one in ones])
            setattr(self, name, torch.nn.Parameter(size * stacked))

    def log_rows(self, x):
        read = self.context[:, TEACHER.context_ids(x)].sum(1, keepdim=True)
        return ((self.state + read) @ self.output).log_softmax(dim=-1)


@functools.cache
def says(world, x):
    return world.log_rows(x), world.visits(x)


def losses(student, pairs, world=TEACHER, divergence=forward_kl):
    """The loss of each pair, (pairs, ...)."""
    each = []
    for x, x_prime in pairs:
        log_p, visits = says(world, x)
        each.append((visits * divergence(log_p, student.log_rows(x_prime))).sum(-1))
    return torch.stack(each)


def train(student, pairs, steps=100, rate=0.1, decay=0.0, weights=1, **options):
    optimizer = torch.optim.AdamW(student.parameters(), rate, weight_decay=decay)
    for _ in range(steps):
        optimizer.zero_grad()
        (losses(student, pairs, **options) * weights).sum().backward()
        optimizer.step()
    return student


@torch.no_grad()
def per_story(student, pairs, **options):
    return losses(student, pairs, **options).mean(0)


def paired(instruction):
    """D and D' of an instruction."""
    return [f"{instruction} {hero}" for hero in HEROES], list(HEROES)


def copy_of(world):
    student = TabularStudent(world)
    with torch.no_grad():
        student.base.copy_(world.log_rows(""))
        for shift, word in zip(student.shift, world.context_words):
            shift.copy_((world.log_rows(word) - student.base).nan_to_num(0))
    return student
