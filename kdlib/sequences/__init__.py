"""Distributions over whole sequences; torch alone."""
