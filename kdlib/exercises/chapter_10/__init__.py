"""Exercises of chapter 10, the bug museum: each shows code with bugs and asks for sound code."""

# Room 1: three bugs in one line
from kdlib.exercises.chapter_10.bug_masked_loss import bug_masked_loss

# Room 2: the loss that was too good
from kdlib.exercises.chapter_10.bug_next_word_loss import bug_next_word_loss

# Room 3: soft targets that were hard
from kdlib.exercises.chapter_10.bug_soft_targets import bug_soft_targets

# Room 4: two arguments, each with its own convention
from kdlib.exercises.chapter_10.bug_two_directions import bug_two_directions

# Room 5: the divergence that was rounded away
from kdlib.exercises.chapter_10.bug_small_kl import bug_small_kl

# Room 6: the student that stood still
from kdlib.exercises.chapter_10.bug_training_step import bug_training_step

# Which symptom belongs to which bug
from kdlib.exercises.chapter_10.bug_behind_the_symptom import bug_behind_the_symptom
