"""Who judges an answer, and names the mistake in a wrong one?"""
