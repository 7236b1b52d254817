"""Where do models come from, and where do they go?"""
