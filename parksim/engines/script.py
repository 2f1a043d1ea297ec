"""Writes the kernel once more, as JavaScript: the second target of the lift.

``source`` takes the syntax trees of the rules (``rules.lot``, ``rules.routing``), of the kernel (``trees``, ``_state``,
``kernel``) and of the fold over facts (``journal.tally``) and writes each function that the two loops need, with its
docstring, under the name ``module$function``. No rule is written by hand a second time; what the writer does not know
is a ``FailedError`` that names file and line. Constants stand as their values, with their names beside them.

JavaScript's numbers are exact up to 2**53. The longest duration is 1e15 us; a replication that passes 2**53 us, 285
years, by many such durations ends with an error. ``LATEST``, which is only compared, becomes Infinity; a key of the
calendar is rank * 2**32 + number; and the numbers of the random choice, up to 2**62, are BigInts, of which only a
remainder is taken.

``script.js`` has what surrounds the loops: arrays instead of NumPy's, and the way in.
"""

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final, NoReturn

from parksim.engines import _lift, _state, kernel, trees
from parksim.errors import FailedError
from parksim.journal import tally
from parksim.rules import codes, life, routing
from parksim.scenario.workload import Workload

ROOTS: Final = (
    *(kernel.advance, tally.count),
    *(trees.line_of, trees.mark, routing.on_duty, routing.next_change_us),
)
"""What ``script.js`` calls; all that these need is written as well."""
_EXACT: Final = 2**53
_WORD: Final = "4294967296"
_COMPARED: Final = {ast.Eq: "===", ast.NotEq: "!==", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_SIGNS: Final = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.BitOr: "|", ast.BitAnd: "&", ast.RShift: ">>"}
_THEMSELVES: Final = (_state.wide, _lift.held)
"""Functions that only tell the compiler of a type."""


@cache
def source(*further: str) -> str:
    """Return the script: every function that the kernel and the count of facts need, ``script.js``, and further text.

    Constants that the text names, such as ``C_PARKED``, stand before it (see ``_NAMED``).
    """
    around = "\n\n".join([Path(__file__).with_suffix(".js").read_text(encoding="utf-8"), *further])
    digest = f"// Written by parksim from its rules, SHA-256 {_lift.rules_digest()}."
    constants = "\n".join(_constants(around))
    return "\n\n".join([digest, '"use strict";', constants, *written(*ROOTS), around])


def written(*functions: Callable[..., Any]) -> list[str]:
    """Return some functions and all that they call, as JavaScript.

    Raises:
        FailedError: one of them has what the writer does not know; file and line are named.
    """
    found: dict[str, str] = {}
    waiting = [_plain(one) for one in functions]
    while waiting:
        function = waiting.pop()
        name = _name_of(function)
        if name not in found:
            writer = _Writer(function)
            found[name] = writer.text()
            waiting += writer.needed
    return [found[name] for name in sorted(found)]


_NAMED: Final = {"S": _state, "T": tally, "C": codes, "L": life, "R": routing}
"""What a constant of ``script.js`` begins with, and the module that has it: ``S_HEAP`` is ``_state.HEAP``."""


def _constants(around: str) -> Iterator[str]:
    """Yield the constants that a script names, with their values."""
    for prefix, name in sorted(set(re.findall(r"\b([A-Z])_([A-Z_]+)\b", around))):
        yield f"const {prefix}_{name} = {_number(getattr(_NAMED[prefix], name))};"
    yield f"const DRAWN = {json.dumps(_state.DRAWN)};"


def _plain(function: Any) -> FunctionType:
    """Return the Python function of what may have been compiled."""
    found = inspect.unwrap(getattr(function, "py_func", function))
    assert isinstance(found, FunctionType)
    return found


def _name_of(function: FunctionType) -> str:
    return f"{function.__module__.rpartition('.')[2].strip('_')}${function.__name__}"


@cache
def _tree(file: str) -> dict[str, ast.FunctionDef]:
    """Return the functions of a file by name."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"), file)
    return {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}


class _Writer:
    """Writes one function."""

    def __init__(self, function: FunctionType) -> None:
        self.needed: list[FunctionType] = []
        """The functions that it calls."""
        self._function = function
        self._file = function.__code__.co_filename
        self._node = _tree(self._file)[function.__name__]
        self._parameters = [one.arg for one in self._node.args.args]
        stores = (
            one.id for one in ast.walk(self._node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        )
        self._locals = sorted(set(stores) - set(self._parameters))

    def text(self) -> str:
        """Return the function as JavaScript."""
        body = self._node.body
        words = (ast.get_docstring(self._node) or "").partition("\n")[0]
        lines = [f"// {words}", f"function {_name_of(self._function)}({', '.join(map(_local, self._parameters))}) {{"]
        if self._locals:
            lines.append(f"  let {', '.join(map(_local, self._locals))};")
        for one in body[1 if ast.get_docstring(self._node) else 0 :]:
            lines += self._statement(one, "  ")
        return "\n".join([*lines, "}"])

    # Statements ------------------------------------------------------------------------------------------------------

    def _statement(self, node: ast.stmt, indent: str) -> list[str]:
        known: dict[type[ast.stmt], Callable[[Any, str], list[str]]] = {
            ast.Assign: self._assign,
            ast.AnnAssign: lambda one, at: [f"{at}{self._target(one.target)} = {self._value(one.value)};"],
            ast.AugAssign: self._augmented,
            ast.Expr: self._expression,
            ast.Return: lambda one, at: [f"{at}return{' ' + self._value(one.value) if one.value else ''};"],
            ast.If: self._if,
            ast.While: lambda one, at: [
                f"{at}while ({self._value(one.test)}) {{",
                *self._block(one.body, at),
                at + "}",
            ],
            ast.For: self._for,
            ast.Assert: lambda one, at: [
                f'{at}if (!({self._value(one.test)})) throw new Error("{Path(self._file).name}, line {one.lineno}");'
            ],
            ast.Break: lambda _, at: [f"{at}break;"],
            ast.Continue: lambda _, at: [f"{at}continue;"],
        }
        if type(node) not in known:
            self._refuse(node)
        return known[type(node)](node, indent)

    def _block(self, body: list[ast.stmt], indent: str) -> list[str]:
        return [line for one in body for line in self._statement(one, indent + "  ")]

    def _assign(self, node: ast.Assign, indent: str) -> list[str]:
        targets = [self._target(one) for one in node.targets]
        return [f"{indent}{' = '.join([*targets, self._value(node.value)])};"]

    def _augmented(self, node: ast.AugAssign, indent: str) -> list[str]:
        target = self._target(node.target)
        spelt = ast.BinOp(left=node.target, op=node.op, right=node.value)
        ast.copy_location(spelt, node)
        return [f"{indent}{target} = {self._value(spelt)};"]

    def _expression(self, node: ast.Expr, indent: str) -> list[str]:
        if isinstance(node.value, ast.Constant):
            return []
        text = self._value(node.value)
        return [f"{indent}{text};"] if text else []

    def _if(self, node: ast.If, indent: str) -> list[str]:
        lines = [f"{indent}if ({self._value(node.test)}) {{", *self._block(node.body, indent)]
        if not node.orelse:
            return [*lines, indent + "}"]
        if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            first, *rest = self._if(node.orelse[0], indent)
            return [*lines, f"{indent}}} else {first.strip()}", *rest]
        return [*lines, f"{indent}}} else {{", *self._block(node.orelse, indent), indent + "}"]

    def _for(self, node: ast.For, indent: str) -> list[str]:
        if node.orelse or not isinstance(node.target, ast.Name):
            self._refuse(node)
        name, over = _local(node.target.id), node.iter
        body = [*self._block(node.body, indent), indent + "}"]
        if not (isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "range"):
            return [f"{indent}for ({name} of {self._value(over)}) {{", *body]
        ends = [self._value(one) for one in over.args]
        first, end = ends[:2] if len(ends) > 1 else ("0", ends[0])
        falls = len(ends) == 3
        if falls and ends[2] != "-1":
            self._refuse(node)
        sign, step = (">", "-=") if falls else ("<", "+=")
        return [  # the name keeps the last number, and the body may change it, as in Python
            f"{indent}for (let next = {first}, end = {end}; next {sign} end; next {step} 1) {{",
            f"{indent}  {name} = next;",
            *body,
        ]

    def _target(self, node: ast.expr) -> str:
        if isinstance(node, ast.Tuple):
            return f"[{', '.join(map(self._target, node.elts))}]"
        if not isinstance(node, ast.Name | ast.Subscript):
            self._refuse(node)
        return self._value(node)

    # Expressions -----------------------------------------------------------------------------------------------------

    def _value(self, node: ast.expr) -> str:
        known: dict[type[ast.expr], Callable[[Any], str]] = {
            ast.Constant: self._constant,
            ast.Name: self._named,
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.BinOp: self._operation,
            ast.BoolOp: lambda one: self._joined(" && " if isinstance(one.op, ast.And) else " || ", one.values),
            ast.UnaryOp: self._unary,
            ast.Compare: self._comparison,
            ast.IfExp: lambda one: f"({self._value(one.test)} ? {self._value(one.body)} : {self._value(one.orelse)})",
            ast.Call: self._call,
            ast.Tuple: lambda one: f"[{', '.join(map(self._value, one.elts))}]",
        }
        if type(node) not in known:
            self._refuse(node)
        return known[type(node)](node)

    def _joined(self, sign: str, values: list[ast.expr]) -> str:
        return f"({sign.join(map(self._value, values))})"

    def _constant(self, node: ast.Constant) -> str:
        if isinstance(node.value, bool):
            return str(node.value).lower()
        if not isinstance(node.value, int):
            self._refuse(node)
        return _number(node.value)

    def _named(self, node: ast.Name) -> str:
        if node.id in self._parameters or node.id in self._locals:
            return _local(node.id)
        return self._constant_of(self._global(node), node.id, node)

    def _attribute(self, node: ast.Attribute) -> str:
        owner = self._module(node.value)
        if owner is None:
            return f"{self._value(node.value)}.{node.attr}"
        return self._constant_of(getattr(owner, node.attr), node.attr, node)

    def _constant_of(self, value: object, name: str, node: ast.expr) -> str:
        if not isinstance(value, int):
            self._refuse(node)
        return f"{_number(int(value))} /* {name} */"

    def _global(self, node: ast.Name) -> Any:
        if node.id not in self._function.__globals__:
            self._refuse(node)
        return self._function.__globals__[node.id]

    def _module(self, node: ast.expr) -> ModuleType | None:
        """Return the module that a name stands for, if it does."""
        if not isinstance(node, ast.Name) or node.id in self._parameters or node.id in self._locals:
            return None
        found = self._function.__globals__.get(node.id)
        return found if isinstance(found, ModuleType) else None

    def _subscript(self, node: ast.Subscript) -> str:
        if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":  # of two axes, the second
            return f"{self._value(node.value.value)}[0].length"
        owner, places = self._value(node.value), node.slice
        if isinstance(places, ast.Constant) and isinstance(places.value, str):
            return f"{owner}.{places.value}"
        if isinstance(places, ast.Slice):
            if places.upper or places.step or not places.lower:
                self._refuse(node)
            return f"{owner}.slice({self._value(places.lower)})"
        each = places.elts if isinstance(places, ast.Tuple) else [places]
        for one in each:
            if isinstance(one, ast.UnaryOp):  # counted from the end
                owner += f"[{owner}.length - {self._value(one.operand)}]"
            else:
                owner += f"[{self._value(one)}]"
        return owner

    def _operation(self, node: ast.BinOp) -> str:
        left, right, sign = self._value(node.left), self._value(node.right), type(node.op)
        if sign is ast.FloorDiv:
            return f"Math.floor({left} / {right})"
        if sign is ast.Mod:
            return f"remainder({left}, {right})"
        if right == "32" and sign in {ast.LShift, ast.RShift}:
            return f"({left} * {_WORD})" if sign is ast.LShift else f"Math.floor({left} / {_WORD})"
        if right == "4294967295" and sign is ast.BitAnd:
            return f"({left} % {_WORD})"
        if sign is ast.BitOr and left.endswith(f"* {_WORD})"):
            return f"({left} + {right})"
        if sign not in _SIGNS:
            self._refuse(node)
        return f"({left} {_SIGNS[sign]} {right})"

    def _unary(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.Not):
            return f"!({self._value(node.operand)})"
        if not isinstance(node.op, ast.USub):
            self._refuse(node)
        return f"-{self._value(node.operand)}"

    def _comparison(self, node: ast.Compare) -> str:
        sides = [node.left, *node.comparators]
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.In) and isinstance(sides[1], ast.Tuple):
            one = self._value(sides[0])
            found = " || ".join(f"{one} === {self._value(other)}" for other in sides[1].elts)
            return f"({found})"
        if any(type(op) not in _COMPARED for op in node.ops):
            self._refuse(node)
        words = [self._value(side) for side in sides]
        pairs = zip(words, node.ops, words[1:], strict=False)
        return f"({' && '.join(f'{left} {_COMPARED[type(op)]} {right}' for left, op, right in pairs)})"

    def _call(self, node: ast.Call) -> str:
        given = [self._value(one) for one in node.args]
        if isinstance(node.func, ast.Name) and not node.keywords:
            name = node.func.id
            if name == "len":
                return f"{given[0]}.length"
            if name in {"min", "max"}:
                return f"Math.{name}({', '.join(given)})"
            if name == "int":
                return f"Number({given[0]})"
        called = self._called(node)
        if any(called is one for one in _THEMSELVES):
            return given[0]
        if called is _lift.prefetch:  # JavaScript has no such hint
            return ""
        if isinstance(called, type) and hasattr(called, "_fields"):
            return self._made(called, given, node)
        if not isinstance(getattr(called, "py_func", called), FunctionType) or node.keywords:
            self._refuse(node)
        function = _plain(called)
        self.needed.append(function)
        return f"{_name_of(function)}({', '.join(given)})"

    def _called(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Name):
            return self._global(node.func)
        owner = self._module(node.func.value) if isinstance(node.func, ast.Attribute) else None
        if owner is None or not isinstance(node.func, ast.Attribute):
            self._refuse(node)
        return getattr(owner, node.func.attr)

    def _made(self, kind: Any, given: list[str], node: ast.Call) -> str:
        """Return an object of the fields of a named tuple."""
        if node.keywords or len(given) + len(kind._field_defaults) < len(kind._fields):
            self._refuse(node)
        fields = zip(kind._fields, given + ["[]"] * (len(kind._fields) - len(given)), strict=True)
        return f"{{ {', '.join(f'{name}: {value}' for name, value in fields)} }}"

    def _refuse(self, node: ast.AST) -> NoReturn:
        line = getattr(node, "lineno", self._node.lineno)
        raise FailedError(f"{self._file}, line {line}: {ast.unparse(node)[:60]!r} cannot be written as JavaScript")


def _local(name: str) -> str:
    """Return the name of a variable: ``new`` is a word of JavaScript."""
    return name + "_" if name in _RESERVED else name


_RESERVED: Final = frozenset({"new", "this", "var", "let", "const", "function", "switch", "case", "default", "delete"})


def _number(value: int) -> str:
    """Return a number as JavaScript has it; what is only compared, and beyond all instants, is Infinity."""
    return "Infinity" if value >= _EXACT else str(value)


def offered(workload: Workload) -> dict[str, Any]:
    """Return the calls of one replication as plain lists: each column a list of rows, one a park."""
    named = workload._asdict()
    return {name: column.tolist() if column.ndim > 1 else [column.tolist()] for name, column in named.items()}
