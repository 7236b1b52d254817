"""Distributions over whole sequences; needs torch only."""
