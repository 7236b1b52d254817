"""Exercises of chapter 9: on-policy training, weak teachers, soft prompts (Q28, Q29)."""
