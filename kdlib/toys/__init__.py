"""Languages whose true distribution is known; needs torch only."""
