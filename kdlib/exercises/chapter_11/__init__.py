"""Exercises of chapter 11: how much text, how large a teacher, for how long, and what for."""
