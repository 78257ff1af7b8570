"""Small changes of a module's meaning, one at a time, made in its syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

_ORDER = {ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt)}
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    **_ORDER,
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
_LOGS = {"debug", "info", "warning", "error", "exception", "log"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed module.

    Attributes:
        line: where the change is, from 1.
        text: that line, as it was.
        before, after: the changed code.
        lines: those of the statement that is changed, without the body of a compound one.
        was, now: the statement of the module that holds the change, before and after it.
        source: the whole module, changed.
        code: the same, compiled, with the line numbers of the unchanged module.
    """

    line: int
    text: str
    before: str
    after: str
    lines: range
    was: str
    now: str
    source: str
    code: CodeType


def mutants(source: str, file: str) -> Iterator[Mutant]:
    """All mutants of a module, in the order of its code. `file` is where its code says that it is from.

    What is no behaviour is left as it is: annotations, decorators, docstrings, `__all__`, the words of errors and logs.
    """
    tree = ast.parse(source)
    lines = source.splitlines()
    statements = [ast.unparse(statement) for statement in tree.body]
    for number, outer in enumerate(tree.body):
        for parent, field, index, node, statement in list(_places(tree, outer, number)):
            for change in _changes(node):
                _put(parent, field, index, change)
                now = ast.unparse(ast.fix_missing_locations(tree.body[number]))
                code = compile(tree, file, "exec", dont_inherit=True)
                _put(parent, field, index, node)
                yield Mutant(
                    node.lineno, lines[node.lineno - 1].strip(), _one_line(node), _one_line(change), _lines(statement),
                    statements[number], now, "\n".join([*statements[:number], now, *statements[number + 1 :]]), code,
                )  # fmt: skip


def _one_line(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _lines(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    end = max(statement.lineno, body[0].lineno - 1) if body else statement.end_lineno
    return range(statement.lineno, (end or statement.lineno) + 1)


def _put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


_Place = tuple[ast.AST, str, int | None, "ast.expr | ast.stmt", ast.stmt]


def _places(tree: ast.Module, outer: ast.stmt, number: int) -> Iterator[_Place]:
    """The expressions and statements of one of a module's statements that may be changed: where each hangs in the
    tree, and in which statement."""
    if not _is_words(outer):
        yield tree, "body", number, outer, outer
        yield from _places_in(outer, outer)


def _places_in(parent: ast.AST, statement: ast.stmt) -> Iterator[_Place]:
    for field, value in ast.iter_fields(parent):
        if _is_no_behaviour(parent, field):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _is_words(child):
                continue
            inner = child if isinstance(child, ast.stmt) else statement
            if isinstance(child, ast.expr | ast.stmt):
                yield parent, field, index, child, inner
            yield from _places_in(child, inner)


def _is_no_behaviour(parent: ast.AST, field: str) -> bool:
    if field in ("annotation", "returns", "decorator_list", "bases", "type_params"):
        return True
    if isinstance(parent, ast.Assign) and ast.unparse(parent.targets[0]) == "__all__":
        return True
    return isinstance(parent, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom)


def _is_words(node: ast.AST) -> bool:
    """Docstrings, calls of a log, and what is there for a type checker."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return True
    if not isinstance(node, ast.Expr):
        return False
    value = node.value
    is_log = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _LOGS
    return is_log or isinstance(value, ast.Constant)


def _changes(node: ast.expr | ast.stmt) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        yield from _compared(node)
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _ARITHMETIC:
        yield _with(node, op=_ARITHMETIC[type(node.op)]())
    elif isinstance(node, ast.Constant):
        yield from (ast.Constant(value) for value in _others(node.value))
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and not node.value.value):
            yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare | ast.UnaryOp):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    if _is_effect(node):
        yield ast.Pass()


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _compared(node: ast.Compare) -> Iterator[ast.AST]:
    for index, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            yield _with(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])


def _others(value: object) -> Iterator[object]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
        yield value - 1
    elif isinstance(value, float):
        yield value + 1
        yield value / 2 if value else -1.0
    elif isinstance(value, str):
        yield f"XX{value}"


def _is_effect(node: ast.AST) -> bool:
    """Whether it is a statement that can be left out without leaving a name undefined."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Await | ast.Yield | ast.YieldFrom)
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    return isinstance(node, ast.AugAssign | ast.Raise | ast.Break | ast.Continue | ast.Delete)
