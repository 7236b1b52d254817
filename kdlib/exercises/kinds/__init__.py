"""The kinds of exercises: what a reader answers with."""
