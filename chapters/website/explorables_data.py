"""The explorables: the words, the settings and the still picture of each."""

from __future__ import annotations

import inspect

import torch

from kdlib.plots import Picture, curves, distributions
from kdlib.plots.chapter_04 import triangles
from kdlib.toys.students import one_peak, two_peaks
from website import cost_calculator, lambda_map, moor_walk, temperature
from website.explorable import Explorable

# ---------------------------------------------------------------- drag the student

SOUP = {"hot": 0.46, "salty": 0.28, "cold": 0.17, "spicy": 0.08, "purple": 0.01}


def _bars() -> Picture:
    even = [1 / len(SOUP)] * len(SOUP)
    return distributions(
        {"teacher": SOUP.values(), "student": even},
        list(SOUP),
        alt="The teacher gives the five words falling probabilities, from hot with 0.46 to purple "
        "with 0.01. A student that has learned nothing gives each of them 0.2.",
    )


# ---------------------------------------------------------------- one peak for two

PEAKS = {
    name: parameter.default for name, parameter in inspect.signature(two_peaks).parameters.items()
}
DESCENT = {"steps": 600, "rate": 0.1}  # as chapter 4 goes downhill
START = {"centre": 17.0, "width": 4.0}  # one of chapter 4's starts


def _peaks() -> Picture:
    two = two_peaks()
    size = PEAKS["size"]

    def shape(centre: float, width: float) -> torch.Tensor:
        return one_peak(size, torch.tensor(centre), torch.tensor(width)).exp()

    return curves(
        range(size),
        {"teacher": two.exp(), "covers": shape(17.25, 9.25), "seeks": shape(10.0, 2.0)},
        xlabel="outcome",
        ylabel="probability",
        alt="A teacher with a high peak on the left and a lower one on the right. One student is wide "
        "and covers both peaks and the valley between them; another is a copy of the left peak alone.",
    )


# ---------------------------------------------------------------- the triangle

TEACHER_OF_THREE = [0.8, 0.1, 0.1]  # of section 4.2, and so are the students
STUDENTS_OF_THREE = {
    "less sure": [0.70, 0.15, 0.15],
    "surer": [0.90, 0.05, 0.05],
    "exact top": [0.80, 0.19, 0.01],
    "one-hot": [1.00, 0.00, 0.00],
}


def _triangles() -> Picture:
    return triangles(
        TEACHER_OF_THREE,
        STUDENTS_OF_THREE,
        alt="Two triangles with the students of this section. On the left the lines of equal KL(P‖Q) "
        "bend away from the edges; on the right those of KL(Q‖P) run into them.",
    )


# ---------------------------------------------------------------- all of them

EXPLORABLES = {
    "drag_the_student": Explorable(
        "Drag the student",
        "“The soup is too …”: grey is the teacher P, blue the student Q. Pull a blue bar down to zero. "
        "Which of the two divergences minds? Then let each of them teach, step by step.",
        "What you give to one word the others lose, and they keep their proportions. A step is one of "
        "gradient descent in the student's logits, at a learning rate of 1.",
        {
            "words": list(SOUP),
            "teacher": list(SOUP.values()),
            "student": [1 / len(SOUP)] * len(SOUP),
        },
        _bars,
        ("divergences.js", "figure.js", "drag_the_student.js"),
    ),
    "simplex": Explorable(
        "All students of three words",
        "Every point is a student, the star is the teacher. Drag the dot to an edge, then into a corner: "
        "which of the two divergences goes to infinity there?",
        "The lines join students that are equally far from P: by 0.01, 0.03, 0.1, 0.3 and 1 nat. The "
        "buttons lead to the four students of the table.",
        {
            "words": ["output 1", "output 2", "output 3"],
            "teacher": TEACHER_OF_THREE,
            "students": STUDENTS_OF_THREE,
            "start": [0.3, 0.3, 0.4],
        },
        _triangles,
        ("divergences.js", "figure.js", "simplex.js"),
    ),
    "one_peak": Explorable(
        "One peak for two",
        "Grey is the teacher P. Drag the student, or click on the map of all students, and let it roll "
        "downhill. Which rings can it reach, and from where? Then choose another loss.",
        "Rings mark the places from which every way leads up. It rolls with Adam, 600 steps at a rate of "
        "0.1 as in the table above, and has momentum: it may roll through a small hollow.",
        PEAKS | {"start": START, "descent": DESCENT},
        _peaks,
        ("divergences.js", "figure.js", "peaks.js", "one_peak.js"),
    ),
    "temperature": temperature.EXPLORABLE,
    "lambda_map": lambda_map.EXPLORABLE,
    "cost_calculator": cost_calculator.EXPLORABLE,
    "moor_walk": moor_walk.EXPLORABLE,
}
