"""Exercises in notebooks: copies to work in, solved ones, grades and tables."""
