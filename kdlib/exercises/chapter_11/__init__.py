"""Exercises of chapter 11, the bug museum: each shows code with bugs and asks for sound code."""
