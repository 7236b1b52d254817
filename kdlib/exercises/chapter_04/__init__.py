"""Exercises of chapter 4: KL divergence, both ways, its relatives and its numerics (Q18-Q23)."""

# One number for "how close"
from kdlib.exercises.chapter_04.divergence_of_better_student import divergence_of_better_student
from kdlib.exercises.chapter_04.the_better_mimic import the_better_mimic

# Students by the handful
from kdlib.exercises.chapter_04.four_students import four_students
from kdlib.exercises.chapter_04.kl_of_rows import kl_of_rows
from kdlib.exercises.chapter_04.three_replicas import three_replicas
from kdlib.exercises.chapter_04.beyond_the_first_choice import beyond_the_first_choice

# Cross-entropy and KL
from kdlib.exercises.chapter_04.gradient_of_forward_kl import gradient_of_forward_kl

# Two directions
from kdlib.exercises.chapter_04.two_fits import two_fits
from kdlib.exercises.chapter_04.the_other_direction import the_other_direction
from kdlib.exercises.chapter_04.gradient_of_reverse_kl import gradient_of_reverse_kl
from kdlib.exercises.chapter_04.logit_gradients import logit_gradients

# Mixtures
from kdlib.exercises.chapter_04.worst_skew_kl import worst_skew_kl
from kdlib.exercises.chapter_04.mixture_divergence import mixture_divergence

# Which loss is meant
from kdlib.exercises.chapter_04.which_loss_is_meant import which_loss_is_meant
from kdlib.exercises.chapter_04.five_scenarios import five_scenarios

# Temperature, and real logits
from kdlib.exercises.chapter_04.temperature_limit import temperature_limit
from kdlib.exercises.chapter_04.kl_over_tokens import kl_over_tokens
