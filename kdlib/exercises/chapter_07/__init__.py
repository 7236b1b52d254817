"""Exercises of chapter 7: distilling a language model (Q05 again, as a whole plan)."""

# The plan
from kdlib.exercises.chapter_07.plan_in_full import plan_in_full

# Which positions count
from kdlib.exercises.chapter_07.bug_next_token_sum import bug_next_token_sum

# Before the first step
from kdlib.exercises.chapter_07.bug_ready_to_distil import bug_ready_to_distil

# Which slots of the vocabulary count
from kdlib.exercises.chapter_07.bug_padded_kl import bug_padded_kl

# One step over several micro-batches
from kdlib.exercises.chapter_07.bug_accumulate import bug_accumulate

# What is reported
from kdlib.exercises.chapter_07.bug_two_scores import bug_two_scores
from kdlib.exercises.chapter_07.share_of_the_gap import share_of_the_gap
