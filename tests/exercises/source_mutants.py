"""A function with one slip in its source: every slip of a list, at every place where it can be made.

`source_mutants(function)` gives pairs (name, function). The name says what became of what, and where
the same slip is possible twice, which of them it is.
"""

import ast
import collections
import copy
import inspect
import textwrap

SWAPPED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Lt: ast.LtE,
    ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
METHODS = {"sum": "mean", "mean": "sum", "argmax": "argmin", "argmin": "argmax", "max": "min"}
NUDGED = {0: (1,), 1: (0, 2), 2: (1, 3)}
NAMESPACES = {"torch", "F", "math", "nn", "optim", "special", "autograd"}
OTHER_ENDS = (ast.Constant(0), ast.Constant(1), ast.UnaryOp(ast.USub(), ast.Constant(2)))  # than -1


def source_mutants(function, alike=()):
    """alike: groups of names of arguments of one kind, which may be taken for each other."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    tree.decorator_list = []
    start = 1 if ast.get_docstring(tree) is not None else 0
    seen = collections.Counter()
    for place, node in _nodes(tree, start):
        for name, new in _named_slips(node, alike):
            seen[name] += 1
            numbered = name if seen[name] == 1 else f"{name} #{seen[name]}"
            yield numbered, _function(tree, start, place, new, function)


def _nodes(tree, start):
    """The numbered nodes of the body; the docstring is no source, and -1 is one thing, not two."""
    nodes = [node for part in tree.body[start:] for node in ast.walk(part)]
    inside = {id(node.operand) for node in nodes if _is_minus_one(node)}
    return [(place, node) for place, node in enumerate(nodes) if id(node) not in inside]


def _text(node):
    """The first line, with a sign that there are more."""
    first, *others = ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).splitlines()
    return f"{first} ..." if others else first


def _function(tree, start, place, new, function):
    """The function with the node of that number replaced; it sees what the original sees."""
    own = copy.deepcopy(tree)
    _Put(dict(_nodes(own, start))[place], copy.deepcopy(new)).visit(own)
    module = ast.fix_missing_locations(ast.Module([own], []))
    names = dict(function.__globals__)
    exec(compile(module, "<mutant>", "exec"), names)
    return names[tree.name]


class _Put(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def _named_slips(node, alike):
    """What may stand in the node's place by mistake, as pairs (name, node)."""
    for find in (_operators, _constants, _statements, _conditions):
        yield from ((f"{_text(node)} -> {_text(new)}", new) for new in find(node))
    for other in _alike(node, alike):
        yield f"{node.id} -> {other}", ast.Name(other, ast.Load())
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", None) or ast.unparse(node.func)
        for find in (_calls, _options, _logarithms_and_ties):
            yield from ((f"{name}{what}", new) for what, new in find(node))


def _with(node, **fields):
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _operators(node):
    if isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)) and type(node.op) in SWAPPED:
        yield _with(node, op=SWAPPED[type(node.op)]())
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield _with(node, op=ast.FloorDiv())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        yield _with(node, ops=[SWAPPED[type(node.ops[0])]()])
    if isinstance(node, ast.UnaryOp) and not _is_minus_one(node):
        yield node.operand


def _constants(node):
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for value in NUDGED.get(node.value, (node.value + 1,)):
            yield ast.Constant(type(node.value)(value))
    if isinstance(node, ast.Subscript) and _is_minus_one(node.slice):
        yield from (_with(node, slice=other) for other in OTHER_ENDS)
    if isinstance(node, ast.Slice):
        for end in ("lower", "upper"):
            for step in (ast.Add(), ast.Sub()):
                if (bound := getattr(node, end)) is not None:
                    yield _with(node, **{end: ast.BinOp(bound, step, ast.Constant(1))})


def _is_minus_one(node):
    return isinstance(node, ast.UnaryOp) and ast.unparse(node) == "-1"


def _calls(node):
    """A call left out, another one, or with other arguments."""
    if isinstance(node.func, ast.Attribute) and not _is_namespace(node.func.value):
        yield " left out", node.func.value
        if node.func.attr in METHODS:
            other = METHODS[node.func.attr]
            yield f" -> {other}", _with(node, func=_with(node.func, attr=other))
    elif node.args and not isinstance(node.args[0], (ast.Starred, ast.GeneratorExp)):
        yield " left out", node.args[0]
    if ast.unparse(node.func) == "torch.where":
        yield ": cases exchanged", _with(node, args=[node.args[0], *node.args[:0:-1]])
    for arg in filter(_is_minus_one, node.args):
        for end in OTHER_ENDS:
            args = [end if a is arg else a for a in node.args]
            yield f": -1 -> {ast.unparse(end)}", _with(node, args=args)


def _options(node):
    for option in node.keywords:
        others = [other for other in node.keywords if other is not option]
        if not (option.arg == "dim" and ast.unparse(node.func).endswith("softmax")):  # torch warns
            yield f" without {option.arg}", _with(node, keywords=others)
        if _is_minus_one(option.value):
            for end in OTHER_ENDS:
                text = f": {option.arg}=-1 -> {option.arg}={ast.unparse(end)}"
                yield text, _with(node, keywords=[*others, _with(option, value=end)])


def _is_namespace(node):
    return ast.unparse(node).split(".")[-1] in NAMESPACES


def _logarithms_and_ties(node):
    if not isinstance(node.func, ast.Attribute):
        return
    if node.func.attr == "log_softmax":
        softmax = ast.unparse(_with(node, func=_with(node.func, attr="softmax")))
        yield " -> log(softmax + 1e-8)", _expression(f"({softmax} + 1e-8).log()")
        yield " -> log(softmax)", _expression(f"{softmax}.log()")
    if node.func.attr in ("argmax", "argmin"):
        row = ast.unparse(node.func.value)
        call = ast.unparse(node).removeprefix(f"{row}.")
        last = f"{row}.shape[-1] - 1 - {row}.flip(-1).{call}"
        yield ": the last of ties", _expression(last)


def _expression(text):
    return ast.parse(text, mode="eval").body


def _statements(node):
    if isinstance(node, ast.With):
        yield _with(node, items=[ast.withitem(ast.parse("torch.enable_grad()").body[0].value)])
    elif isinstance(node, ast.stmt) and not isinstance(node, (ast.Return, ast.FunctionDef)):
        yield ast.Pass()


def _alike(node, groups):
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        for group in groups:
            yield from (other for other in group if node.id in group and other != node.id)


def _conditions(node):
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.comprehension) and node.ifs:
        yield _with(node, ifs=[ast.UnaryOp(ast.Not(), node.ifs[0]), *node.ifs[1:]])
        yield _with(node, ifs=node.ifs[1:])
