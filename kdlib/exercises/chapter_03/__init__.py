"""Exercises of chapter 3: cross-entropy over whole sequences (Q13-Q17; Q04 and Q08 again)."""

# Way 1: every output written down, and why every one
from kdlib.exercises.chapter_03.students_that_swap import students_that_swap
from kdlib.exercises.chapter_03.sequence_cross_entropy import sequence_cross_entropy
from kdlib.exercises.chapter_03.what_the_sum_is_for import what_the_sum_is_for

# What that costs
from kdlib.exercises.chapter_03.longest_that_fits import longest_that_fits

# Way 2: the chain rule, and sums over outputs of different lengths
from kdlib.exercises.chapter_03.chain_rule_by_hand import chain_rule_by_hand
from kdlib.exercises.chapter_03.chain_rule_loss import chain_rule_loss
from kdlib.exercises.chapter_03.loss_of_two_translations import loss_of_two_translations

# Way 3: samples, and how far to trust them
from kdlib.exercises.chapter_03.sampled_loss import sampled_loss

# Way 4: the best output only, which is another loss
from kdlib.exercises.chapter_03.best_output_loss import best_output_loss
from kdlib.exercises.chapter_03.one_output_per_input import one_output_per_input
from kdlib.exercises.chapter_03.sixty_outputs import sixty_outputs

# All of it, judged
from kdlib.exercises.chapter_03.exact_loss_for_translation import exact_loss_for_translation
