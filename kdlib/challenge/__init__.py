"""Who makes the best small student? A contest with a budget of operations, which a laptop can enter.

``definition.py`` says what is fixed: teacher, lesson, exam, most parameters, most operations.
``rules.py`` checks a recipe against it, before the first step and after the last. ``running.py``
trains with three seeds and makes an entry, ``acceptance.py`` trains a submitted one again and fills in
its test. ``entry.py`` knows what an entry is, ``table.py`` in which order they stand, and
``entries/`` holds those that were accepted: NAME.toml, the recipe, and NAME.json, what came of it.
"""
