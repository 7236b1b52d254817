"""The bug museum's cards, and the way from a symptom to its mistake.

Every mistake of the catalogue has either an exhibit in the museum's chapter or a card here: the
broken code beside the sound one, both run. The cards are data, a file for each room.
"""
