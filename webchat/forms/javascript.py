"""Values that stand in a script of JavaScript or TypeScript, in JSON or in a page of HTML. Nothing is ever evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

DEPTH_MAX = 30  # of objects and lists in each other

_TYPESCRIPT = Language(tree_sitter_typescript.language_typescript())
_SCRIPT = re.compile(r"<script\b[^>]*>(.*?)(?:</script\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_COMMENTS = re.compile(r"(?:[\s\ufeff]|//[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_PROPERTY = re.compile(r"[\"']?[\w$]+[\"']?\s*:")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
# What only tells TypeScript a type, or groups: the value is inside.
_WRAPPERS = ("parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression")


@dataclass(frozen=True)
class Calculation:
    """What a browser would calculate: a variable, a call, a sum, a function."""

    line: int


class TooDeep(ValueError):  # noqa: N818
    pass


@dataclass(frozen=True)
class Problem:
    """Where the script breaks off: the line's number, from 1, and what stands in it from there."""

    line: int
    text: str


class Script:
    def __init__(self, text: str) -> None:
        self._bytes = _as_script(text).encode(errors="replace")
        self._root = Parser(_TYPESCRIPT).parse(self._bytes).root_node

    def values(self) -> Iterator[Any]:
        """The objects and lists that are in no other one, as dict and list. A `Calculation` stands for what they do not
        tell by themselves. Raises TooDeep."""
        pending = [self._root]
        while pending:
            node = pending.pop()
            if node.type not in ("object", "array"):
                pending += reversed(node.named_children)
            elif not node.has_error:
                yield _value(node)

    def problem(self) -> Problem | None:
        """The first place that is no JavaScript."""
        pending = [self._root] if self._root.has_error else []
        while pending:
            node = pending.pop()
            broken = [child for child in node.children if child.has_error or child.is_missing]
            if not broken:  # the innermost of those that are broken
                rest = self._bytes[node.start_byte :].decode(errors="replace").strip()
                return Problem(node.start_point.row + 1, rest.removeprefix("(").partition("\n")[0][:60])
            pending = [broken[0]]
        return None


def _as_script(text: str) -> str:
    """The text as statements, each line where it was: of a page its scripts, and an object or a property in brackets."""
    if scripts := [found.span(1) for found in _SCRIPT.finditer(text)]:
        ends = [(0, 0), *scripts, (len(text), len(text))]
        text = "".join(
            "\n" * text.count("\n", before[1], after[0]) + text[after[0] : after[1]] for before, after in pairwise(ends)
        )
    beginning = _COMMENTS.match(text)
    start = beginning.end() if beginning else 0
    body = text[start:].rstrip(" \t\r\n;,")
    before = "\n" * text.count("\n", 0, start)
    if body.startswith(("{", "[")):
        return f"{before}({body}\n)"
    if _PROPERTY.match(body):
        return f"{before}({{{body}\n}})"
    return before + body


def _value(node: Node, depth: int = 0) -> Any:
    if depth > DEPTH_MAX:
        raise TooDeep
    children = _children(node)
    match node.type:
        case "object":
            return dict(_entry(child, depth) for child in children)
        case "array":
            return [_value(child, depth + 1) for child in children]
        case "type_assertion":  # <Type>value
            return _value(children[-1], depth + 1)
        case kind if kind in _WRAPPERS and children:
            return _value(children[0], depth + 1)
    return _plain_value(node)


def _plain_value(node: Node) -> Any:
    source = _source(node).replace(" ", "")
    match node.type:
        case "string":
            return _text(_children(node))
        case "template_string" if not any(part.type == "template_substitution" for part in node.children):
            return _text(_children(node))
        case "number":
            return _number(source, node)
        case "unary_expression" if source.startswith(("-", "+")):
            return _number(source, node)
        case "true" | "false":
            return node.type == "true"
        case "null" | "undefined":
            return None
    return Calculation(node.start_point.row + 1)


def _children(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _entry(node: Node, depth: int) -> tuple[str, Any]:
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    if node.type != "pair" or key is None or value is None or key.type == "computed_property_name":
        return _source(node).partition("\n")[0][:40], Calculation(node.start_point.row + 1)
    name = _text(_children(key)) if key.type == "string" else _source(key)
    return name, _value(value, depth + 1)


def _text(parts: list[Node]) -> str:
    text = "".join(_unescaped(_source(part)) if part.type == "escape_sequence" else _source(part) for part in parts)
    # Two escapes make one character beyond U+FFFF.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescaped(sequence: str) -> str:
    code = sequence[1:]
    if code[0] in "ux" and (digits := code[1:].strip("{}")):
        number = int(digits, 16)
        return chr(number) if number <= 0x10FFFF else "\ufffd"
    return "" if code[0] in "\r\n\u2028\u2029" else _ESCAPES.get(code, code)


def _number(source: str, node: Node) -> int | float | Calculation:
    text = source.replace("_", "").lower()
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return Calculation(node.start_point.row + 1)


def _source(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")
