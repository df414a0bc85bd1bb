"""Metric math, as far as alarms here use it: numbers, metrics, + - * /, parentheses and FILL(metric, number)."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Final

_OPERATORS: Final[Mapping[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class ExpressionError(ValueError):
    """The expression is none, or uses what is not emulated."""


class Expression:
    """A parsed expression. `names` are the ids that it uses."""

    def __init__(self, text: str) -> None:
        """Parse an expression; raise ExpressionError for what cannot be honoured."""
        try:
            self._root = ast.parse(text, mode="eval").body
        except SyntaxError as error:
            raise ExpressionError(f"metric math {text!r}") from error
        self.names = {node.id for node in ast.walk(self._root) if isinstance(node, ast.Name)} - {"FILL"}
        refused = next(_refused(self._root), None)
        if refused is not None:
            raise ExpressionError(f"{ast.unparse(refused)!r} in the metric math {text!r}")

    def value(self, values: Mapping[str, float | None]) -> float | None:
        """Return the value for one period; None where a metric without FILL has none, or nothing divides."""
        return _value(self._root, values)


def _refused(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield from _refused(node.left)
        yield from _refused(node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield from _refused(node.operand)
    elif isinstance(node, ast.Call):
        filled = isinstance(node.func, ast.Name) and node.func.id == "FILL" and len(node.args) == 2
        if not filled or not isinstance(node.args[1], ast.Constant):
            yield node
        else:
            yield from _refused(node.args[0])
    elif not isinstance(node, ast.Name) and not _is_number(node):
        yield node


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _value(node: ast.expr, values: Mapping[str, float | None]) -> float | None:
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, values), _value(node.right, values)
        if left is None or right is None or (isinstance(node.op, ast.Div) and right == 0):
            return None
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp):
        operand = _value(node.operand, values)
        return None if operand is None else -operand
    if isinstance(node, ast.Call):
        found = _value(node.args[0], values)
        return _value(node.args[1], values) if found is None else found
    if isinstance(node, ast.Name):
        return values[node.id]
    assert isinstance(node, ast.Constant)
    return float(str(node.value))
