"""How does a recipe become a report?"""
