"""Exercises of chapter 9: texts that the student writes itself."""
