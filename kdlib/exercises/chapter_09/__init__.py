"""Exercises of chapter 9: on-policy training, weak teachers, soft prompts (Q28, Q29)."""

# Texts that the student wrote
from kdlib.exercises.chapter_09.mixed_batch import mixed_batch
from kdlib.exercises.chapter_09.on_policy_loss import on_policy_loss
from kdlib.exercises.chapter_09.samples_decide_the_direction import samples_decide_the_direction

# A weak teacher and a strong student
from kdlib.exercises.chapter_09.weak_to_strong_loss import weak_to_strong_loss
from kdlib.exercises.chapter_09.gap_recovered import gap_recovered
from kdlib.exercises.chapter_09.three_ways_to_supervise import three_ways_to_supervise

# A context becomes a soft prompt
from kdlib.exercises.chapter_09.soft_prompt_step import soft_prompt_step
from kdlib.exercises.chapter_09.what_a_soft_prompt_is import what_a_soft_prompt_is
