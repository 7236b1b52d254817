"""Exercises of chapter 3: cross-entropy over whole sequences (Q13-Q17; Q04 and Q08 again)."""

# Way 1: every output written down
from kdlib.exercises.chapter_03.sequence_cross_entropy import sequence_cross_entropy
from kdlib.exercises.chapter_03.students_that_swap import students_that_swap

# What that costs
from kdlib.exercises.chapter_03.longest_that_fits import longest_that_fits
from kdlib.exercises.chapter_03.exact_loss_for_translation import exact_loss_for_translation

# Way 2: the chain rule
from kdlib.exercises.chapter_03.chain_rule_loss import chain_rule_loss

# Way 3: samples, and how far to trust them
from kdlib.exercises.chapter_03.sampled_loss import sampled_loss

# Way 4: the best output only, which is another loss
from kdlib.exercises.chapter_03.best_output_loss import best_output_loss
from kdlib.exercises.chapter_03.one_output_per_input import one_output_per_input

# Sums over outputs of different lengths
from kdlib.exercises.chapter_03.loss_of_two_translations import loss_of_two_translations
