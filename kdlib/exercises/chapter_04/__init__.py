"""Exercises of chapter 4: KL divergence, both ways, its relatives and its numerics (Q18-Q23)."""

# KL, with its zeros
from kdlib.exercises.chapter_04.kl_of_rows import kl_of_rows

# Numbers to know
from kdlib.exercises.chapter_04.divergence_of_better_student import divergence_of_better_student
from kdlib.exercises.chapter_04.four_students import four_students
from kdlib.exercises.chapter_04.an_exact_top_is_not_enough import an_exact_top_is_not_enough

# Two directions
from kdlib.exercises.chapter_04.two_fits import two_fits
from kdlib.exercises.chapter_04.logit_gradients import logit_gradients
from kdlib.exercises.chapter_04.which_loss_is_meant import which_loss_is_meant

# Between the two
from kdlib.exercises.chapter_04.mixture_divergence import mixture_divergence
from kdlib.exercises.chapter_04.worst_skew_kl import worst_skew_kl

# From real logits
from kdlib.exercises.chapter_04.kl_over_tokens import kl_over_tokens
