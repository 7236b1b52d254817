"""Exercises of chapter 12: what decides a claim."""
