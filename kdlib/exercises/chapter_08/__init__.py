"""Exercises of chapter 8: at scale."""
