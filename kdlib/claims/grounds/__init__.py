"""Where arms are trained: a teacher, a text, a student and an exam."""
