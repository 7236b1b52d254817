"""Exercises of chapter 2: the objective (Q06-Q13)."""
