"""Exercises of chapter 1: teacher and student (Q01-Q05)."""

# What the student sees, and what that buys
from kdlib.exercises.chapter_01.what_the_student_sees import what_the_student_sees
from kdlib.exercises.chapter_01.times_smaller import times_smaller
from kdlib.exercises.chapter_01.why_two_models import why_two_models

# Distributions and temperature
from kdlib.exercises.chapter_01.soften import soften
from kdlib.exercises.chapter_01.temperature_and_odds import temperature_and_odds
from kdlib.exercises.chapter_01.when_noise_wins import when_noise_wins

# What makes a target informative
from kdlib.exercises.chapter_01.target_entropy import target_entropy
from kdlib.exercises.chapter_01.most_informative_target import most_informative_target
from kdlib.exercises.chapter_01.pairs_told_apart import pairs_told_apart
from kdlib.exercises.chapter_01.dark_knowledge import dark_knowledge

# One string or a whole distribution
from kdlib.exercises.chapter_01.je_suis_content import je_suis_content
from kdlib.exercises.chapter_01.push import push
from kdlib.exercises.chapter_01.why_the_distribution import why_the_distribution
from kdlib.exercises.chapter_01.gibbs import gibbs

# What is fixed and what is trained
from kdlib.exercises.chapter_01.distillation_step_loss import distillation_step_loss
from kdlib.exercises.chapter_01.what_is_trained import what_is_trained

# A plan for a phone
from kdlib.exercises.chapter_01.plan_for_a_phone import plan_for_a_phone
from kdlib.exercises.chapter_01.plan_in_four_choices import plan_in_four_choices
