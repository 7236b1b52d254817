"""What a chapter's own cells define, without running the chapter."""

import ast

import contents


def defined(number, *names):
    """{name: value} of a chapter's imports, and of the cells' first definitions of these names."""
    source = next(s for s in contents.sources() if s.name.startswith(f"{number:02d}_"))
    wanted, found = set(names), {}
    for node in ast.parse(source.read_text("utf-8")).body:
        made = made_by(node) & wanted
        if made or isinstance(node, ast.Import | ast.ImportFrom):
            wanted -= made
            exec(compile(ast.Module([node], []), source.name, "exec"), found)
    assert not wanted, f"chapter {number} does not define {wanted}"
    return found


def made_by(node):
    """The names that a statement defines."""
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {
        each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)
    }
