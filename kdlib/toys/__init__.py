"""Languages whose truth is known; torch alone."""
