"""The steps of a compression, in an order that works."""

from kdlib.exercises.kinds.orderings import ordering

plan_for_a_phone = ordering(
    "plan-for-a-phone",
    source=("Q05",),
    difficulty=2,
    minutes=4,
    prompt=(
        "You compress a large language model for phones. Put the steps in an order in which each "
        "step has what it needs."
    ),
    hints=(
        "Start with what cannot be changed: the device.",
        "Before training come a student, inputs, and the teacher's answers to those inputs.",
        "A comparison needs the trained student and the same student trained without a teacher.",
    ),
    items=(
        "Measure the phone: memory, and tokens per second that users accept.",
        "Choose a student that fits these limits.",
        "Collect inputs like those that users will send.",
        "Ask the teacher for its distributions on these inputs.",
        "Train the student to match the distributions.",
        "Compare with the same student trained on the same data without a teacher.",
    ),
    explanation=(
        "Objective: the divergence from teacher to student, summed over the collected inputs."
    ),
)

plan_for_a_phone.mistakes(
    (
        1,
        2,
        "bigger-is-better",
        "the student is chosen before the limits of the device are known",
        "a size that follows from the device",
    ),
    (
        5,
        6,
        "no-control",
        "the comparison comes before there is a trained student",
        "a comparison of two students that have been trained",
    ),
    (
        3,
        4,
        "data-size-irrelevant",
        "the teacher is asked before there are inputs to ask about",
        "inputs like those of the users come first",
    ),
    (
        2,
        5,
        "order-of-work",
        "training starts before there is a student",
        "a student that fits the device comes before training",
    ),
    (
        4,
        5,
        "labels-for-teacher",
        "the student is trained before the teacher has answered",
        "targets that come from the teacher",
    ),
)
