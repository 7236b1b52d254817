"""Exercises of chapter 2: the objective (Q06-Q13)."""

# The objective: a sum over the simplified inputs
from kdlib.exercises.chapter_02.what_f1_asks_for import what_f1_asks_for
from kdlib.exercises.chapter_02.dataset_loss import dataset_loss
from kdlib.exercises.chapter_02.distillation_loss import distillation_loss

# Full inputs and simplified inputs
from kdlib.exercises.chapter_02.training_pairs import training_pairs
from kdlib.exercises.chapter_02.trained_on_full_inputs import trained_on_full_inputs

# From the distribution to its top
from kdlib.exercises.chapter_02.one_hot_of_top import one_hot_of_top
from kdlib.exercises.chapter_02.lost_with_the_top import lost_with_the_top
from kdlib.exercises.chapter_02.store_only_the_top import store_only_the_top

# What the data decide
from kdlib.exercises.chapter_02.good_on_simple_bad_on_complex import good_on_simple_bad_on_complex
from kdlib.exercises.chapter_02.is_more_data_always_better import is_more_data_always_better
from kdlib.exercises.chapter_02.a_rule_for_the_data import a_rule_for_the_data
from kdlib.exercises.chapter_02.blind_student_loss import blind_student_loss

# Comparing two settings
from kdlib.exercises.chapter_02.losses_of_settings import losses_of_settings
from kdlib.exercises.chapter_02.objective_on_two_inputs import objective_on_two_inputs

# Sequences: sums, means, parts
from kdlib.exercises.chapter_02.sequence_losses import sequence_losses
from kdlib.exercises.chapter_02.part_loss import part_loss
from kdlib.exercises.chapter_02.brown_fox import brown_fox
from kdlib.exercises.chapter_02.what_summing_assumes import what_summing_assumes
from kdlib.exercises.chapter_02.chain_of_token_losses import chain_of_token_losses
from kdlib.exercises.chapter_02.loss_per_token import loss_per_token
from kdlib.exercises.chapter_02.two_translation_strategies import two_translation_strategies
