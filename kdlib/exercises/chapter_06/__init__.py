"""Exercises of chapter 6: noisy labels (Q27)."""

# Which way to move lambda
from kdlib.exercises.chapter_06.noise_and_lambda import noise_and_lambda

# What noise does to labels
from kdlib.exercises.chapter_06.noisy_labels import noisy_labels
from kdlib.exercises.chapter_06.noise_matrix import noise_matrix
from kdlib.exercises.chapter_06.noise_rate import noise_rate

# The best lambda
from kdlib.exercises.chapter_06.best_lambda_in_theory import best_lambda_in_theory
from kdlib.exercises.chapter_06.best_lambda import best_lambda
from kdlib.exercises.chapter_06.when_no_lambda_helps import when_no_lambda_helps
from kdlib.exercises.chapter_06.accuracy_behind_the_noise import accuracy_behind_the_noise
