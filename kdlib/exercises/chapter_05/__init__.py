"""Exercises of chapter 5: the lambda trade-off (Q24-Q26)."""

# The two terms
from kdlib.exercises.chapter_05.combined_objective import combined_objective
from kdlib.exercises.chapter_05.lambda_very_high import lambda_very_high

# The best student, in closed form
from kdlib.exercises.chapter_05.two_conventions import two_conventions
from kdlib.exercises.chapter_05.best_student import best_student
from kdlib.exercises.chapter_05.combined_gradient import combined_gradient

# Choosing lambda
from kdlib.exercises.chapter_05.largest_lambda import largest_lambda
from kdlib.exercises.chapter_05.teacher_with_a_habit import teacher_with_a_habit
from kdlib.exercises.chapter_05.choose_lambda import choose_lambda
