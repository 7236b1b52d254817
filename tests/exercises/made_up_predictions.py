"""Three predictions, one of each kind, for tests of what reads, proves and judges them."""

from kdlib.exercises.predictions.data import read_chapter

TEXT = r"""
[99-nearer]
question = "which is nearer"
kind = "choice"
shows.A = '^A +(\S+)'
shows.B = '^B +(\S+)'
options = [
    ["A", "A < B"],
    ["B", "B < A", "B is only `larger`."],
    ["neither", "A = B"],
    ["none was printed", "/^nothing/"],
]
right = "A"

[99-draws]
question = "how many draws"
asks = "How many draws for A?"
kind = "number"
shows = 'in (\S+) draws'
right = 1112
unit = "draws"
ends = [1, 10000]
scale = "log"
factor = 1.5

[99-share]
question = "what share"
kind = "number"
shows = '(\S+)% of all'
right = 19.5
unit = "%"
ends = [-5.0, 100]
within = 0.3

[99-order]
question = "put four in order"
kind = "order"
ends = ["least", "most"]
items = [
    ["one", '^one +(\S+)'],
    ["two", '^two +(\S+)'],
    ["three", '^three +(\S+)'],
    ["four", '^four +(\S+)'],
]
values = "rising"
"""
OUTPUT = """student  loss
A        0.25
B        +0.50
one      -2
two      0.1
three    1,200
four     inf

found in 1,112 draws, 19.5% of all
"""
MADE_UP = read_chapter(TEXT, "99.toml")
NEARER, DRAWS, SHARE, ORDER = MADE_UP.values()
