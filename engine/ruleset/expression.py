"""From the text of an expression to a checked tree: names, types and units, each mistake at its own character.

The rooms above evaluate only what comes out of here, so what is not listed below does not
exist: there is no attribute, subscript, power, lambda or comprehension to misuse.
"""

from __future__ import annotations

import ast

from engine.model.samples import InputRef
from engine.ruleset import allowlist
from engine.ruleset.binding import Bound, Role, Setting, World
from engine.ruleset.calls import FUNCTIONS, bind_call, check_labels, usage
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.nodes import Node
from engine.ruleset.spec import Expression, Place
from engine.ruleset.suggest import fix_for
from engine.ruleset.units import (
    ANY,
    BOOL,
    FREE,
    Type,
    UnitError,
    flag_type,
    number,
    product,
    quotient,
    restated,
    same,
    signal_type,
)

_WRONG = ast.Constant(value=0.0)
_EQUALITY = (ast.Eq, ast.NotEq)
_ORDERING = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_NOT_HERE = {
    ast.Attribute: "a rule cannot look inside things", ast.Subscript: "there are no indexes in rules",
    ast.Lambda: "there are no functions to define in rules", ast.List: "there are no lists in rules",
    ast.Tuple: "there are no lists in rules", ast.Dict: "there are no mappings in rules",
    ast.Set: "there are no sets in rules", ast.NamedExpr: "nothing can be assigned in a rule",
    ast.JoinedStr: "there are no formatted texts in rules",
}


def parse_expression(node: Node, world: World, setting: Setting, findings: list[Finding]) -> Expression | None:
    """Return the checked expression that stands at `node`, or None; everything wrong with it goes to `findings`."""
    if node.kind != "str":
        return None
    _check_comment(node, setting.role, findings)
    tree, problems = allowlist.parse(node.text)
    for problem in problems:
        findings.append(node.finding(problem.code, problem.message, problem.fix, offset=problem.offset))
    if tree is None:
        return None
    before = len(findings)
    bound = Bound(node=node, world=world, setting=setting, findings=findings)
    checked, found = Binder(bound).bind(tree)
    if found.what not in ("bool", "any"):
        bound.say(tree, "expr-not-bool", f"`{setting.role.value}` must be a condition, but this is {found}",
                  "compare it with a limit, such as > 50")
    if any(finding.severity is Severity.ERROR for finding in findings[before:]) or found.what != "bool":
        return None
    return Expression(
        text=node.text.strip(), place=Place(node.source.file, *node.spot(0)), tree=ast.fix_missing_locations(checked),
        inputs=tuple(bound.inputs), held=tuple(bound.held), flags=tuple(bound.flags),
    )


def _check_comment(node: Node, role: Role, findings: list[Finding]) -> None:
    if node.comment_col:
        line = node.source.text[:node.end].count("\n") + 1
        findings.append(Finding(
            file=node.source.file, line=line, column=node.comment_col, code="expr-comment", severity=Severity.WARNING,
            message=f"YAML takes all from ` #` on as a comment: `{role.value}` ends before it",
            fix="put the expression in quotes, and the comment on a line of its own",
            source_line=node.source.line(line),
        ))


class Binder:
    """Turns the tree of a parsed text into the tree of a rule, and knows the type of each part."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound

    def bind(self, node: ast.expr) -> tuple[ast.expr, Type]:
        """Return the tree that the evaluators read, and its type (ANY after a mistake)."""
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.BoolOp):
            values = [self._condition(value, "and" if isinstance(node.op, ast.And) else "or") for value in node.values]
            return ast.copy_location(ast.BoolOp(op=node.op, values=values), node), BOOL
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.BinOp):
            return self._arithmetic(node)
        if isinstance(node, ast.Compare):
            return self._chain(node)
        if isinstance(node, ast.IfExp):
            return self._choice(node)
        if isinstance(node, ast.Call):
            return bind_call(self._bound, node, lambda bound: Binder(bound).bind)
        message = _NOT_HERE.get(type(node), "there is no such thing in rules")
        self._bound.say(
            node, "expr-node", message, "write names, numbers, comparisons, and, or, not, + - * / and functions",
        )
        return _WRONG, ANY

    def _constant(self, node: ast.Constant) -> tuple[ast.expr, Type]:
        value = node.value
        if isinstance(value, str):
            return node, Type("text", words=(value,))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return ast.copy_location(ast.Constant(value=float(value)), node), FREE
        self._bound.say(node, "expr-node", "only numbers and quoted words can be written out", "write a number")
        return _WRONG, ANY

    def _name(self, node: ast.Name) -> tuple[ast.expr, Type]:
        bound, name = self._bound, node.id
        if name in FUNCTIONS:
            bound.say(node, "expr-argument", f"{name} is a function", f"write {usage(name)}")
            return _WRONG, ANY
        if name in bound.world.flags or name.isupper() and name not in bound.world.catalogue.specs:
            flag = bound.flag(node)
            return (node, flag_type(flag)) if flag is not None else (_WRONG, ANY)
        spec = bound.signal(node)
        if spec is None:
            return _WRONG, ANY
        check_labels(bound, node, spec, ())
        return bound.read(node, InputRef(reads="value", signal=spec.name)), signal_type(spec)

    def _condition(self, node: ast.expr, word: str) -> ast.expr:
        """Bind a part that must be a condition."""
        tree, found = self.bind(node)
        if found.what not in ("bool", "any"):
            self._bound.say(
                node, "expr-type", f"`{word}` takes conditions, but this is {found}", "compare it with a limit",
            )
        return tree

    def _unary(self, node: ast.UnaryOp) -> tuple[ast.expr, Type]:
        if isinstance(node.op, ast.Not):
            return ast.copy_location(ast.UnaryOp(op=node.op, operand=self._condition(node.operand, "not")), node), BOOL
        tree, found = self.bind(node.operand)
        if not isinstance(node.op, ast.UAdd | ast.USub):
            self._bound.say(node, "expr-node", "there is no `~` in rules", "write `not`")
            return _WRONG, ANY
        if found.what not in ("number", "any"):
            self._bound.say(
                node.operand, "expr-type", f"a sign stands before numbers, but this is {found}", "remove the sign",
            )
            return _WRONG, ANY
        if isinstance(node.op, ast.UAdd):
            return tree, found
        if isinstance(tree, ast.Constant) and isinstance(tree.value, float):
            return ast.copy_location(ast.Constant(value=-tree.value + 0.0), node), found
        return ast.copy_location(ast.UnaryOp(op=node.op, operand=tree), node), found

    def _arithmetic(self, node: ast.BinOp) -> tuple[ast.expr, Type]:
        (left, left_type), (right, right_type) = self.bind(node.left), self.bind(node.right)
        tree = ast.copy_location(ast.BinOp(left=left, op=node.op, right=right), node)
        if not isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
            self._bound.say(node, "expr-node", "there is only + - * / in rules", "write it with + - * /")
            return _WRONG, ANY
        for part, found in ((node.left, left_type), (node.right, right_type)):
            if found.what not in ("number", "any"):
                self._bound.say(
                    part, "expr-type", f"arithmetic takes numbers, but this is {found}", "calculate with numbers only",
                )
                return _WRONG, ANY
        if "any" in (left_type.what, right_type.what):
            return tree, ANY
        if isinstance(node.op, ast.Div) and isinstance(right, ast.Constant) and right.value == 0:
            self._bound.say(node.right, "expr-zero", "dividing by zero is never known", "divide by something else")
            return tree, ANY
        turned = self._restated(node, (left, left_type), (right, right_type))
        if turned is not None:
            return tree, turned
        try:
            if isinstance(node.op, ast.Mult):
                return tree, number(product(left_type.unit, right_type.unit))
            if isinstance(node.op, ast.Div):
                return tree, number(quotient(left_type.unit, right_type.unit))
            return tree, number(same(left_type.unit, right_type.unit))
        except UnitError as error:
            self._bound.say(node.right, "unit-mismatch", str(error), error.fix)
            return tree, ANY

    def _restated(
        self, node: ast.BinOp, left: tuple[ast.expr, Type], right: tuple[ast.expr, Type]
    ) -> Type | None:
        """Say that a bare factor restates a unit, and return the type it was meant to give."""
        scaled, factor, original = left, right, node.left
        if isinstance(node.op, ast.Mult) and isinstance(left[0], ast.Constant):
            scaled, factor, original = right, left, node.right
        if not isinstance(node.op, ast.Mult | ast.Div) or not isinstance(factor[0], ast.Constant):
            return None
        value = factor[0].value
        if not isinstance(value, float):
            return None
        into = restated(scaled[1].unit, value, divides=isinstance(node.op, ast.Div))
        if into is None or scaled[1].unit is None:
            return None
        text = allowlist.segment(self._bound.text, original)
        if scaled[1].unit.value == "ratio":
            fix = f"write {into.value}({allowlist.bare(text)})"
        else:
            fix = f"leave it in {scaled[1].unit.value}, and put pct(...) or bps(...) around the ratio beside it"
        self._bound.say(
            node, "unit-restated", f"this factor turns {scaled[1].unit.value} into {into.value} by hand", fix,
        )
        return number(into)

    def _chain(self, node: ast.Compare) -> tuple[ast.expr, Type]:
        """Bind a comparison; `a < b < c` becomes `a < b and b < c`, so that evaluators know pairs only."""
        parts = [node.left, *node.comparators]
        bound = [self.bind(part) for part in parts]
        pairs: list[ast.expr] = []
        for index, operator in enumerate(node.ops):
            originals = (parts[index], parts[index + 1])
            self._check_pair(operator, originals, bound[index], bound[index + 1])
            pair = ast.Compare(left=bound[index][0], ops=[operator], comparators=[bound[index + 1][0]])
            pairs.append(ast.copy_location(pair, node))
        if len(pairs) == 1:
            return pairs[0], BOOL
        return ast.copy_location(ast.BoolOp(op=ast.And(), values=pairs), node), BOOL

    def _check_pair(
        self, operator: ast.cmpop, parts: tuple[ast.expr, ast.expr], left: tuple[ast.expr, Type],
        right: tuple[ast.expr, Type],
    ) -> None:
        ours, theirs = left[1], right[1]
        say = self._bound.say
        if not isinstance(operator, (*_EQUALITY, *_ORDERING)):
            say(parts[1], "expr-node", "there is no such comparison in rules", "use < <= > >= == or !=")
        elif "any" in (ours.what, theirs.what):
            return
        elif ours.what == theirs.what == "number":
            self._check_units(parts, ours, theirs)
        elif "bool" in (ours.what, theirs.what):
            say(parts[0] if ours.what == "bool" else parts[1], "expr-type", "a condition is not compared with anything",
                "write it alone, or `not` before it")
        elif "number" in (ours.what, theirs.what):
            message = f"{ours} is compared with {theirs}"
            say(parts[1], "expr-type", message, "compare numbers with numbers, words with words")
        elif not isinstance(operator, _EQUALITY):
            say(parts[1], "expr-type", "words have no order", "use == or !=")
        else:
            self._check_words(parts, ours, theirs)

    def _check_units(self, parts: tuple[ast.expr, ast.expr], ours: Type, theirs: Type) -> None:
        try:
            same(ours.unit, theirs.unit)
        except UnitError as error:
            fix = error.fix
            for part, found in zip(parts, (ours, theirs), strict=True):
                if found.unit is not None and found.unit.value == "ratio" and fix.startswith("write "):
                    fix = f"write {fix.split('(')[0][6:]}({allowlist.bare(allowlist.segment(self._bound.text, part))})"
            self._bound.say(parts[1], "unit-mismatch", f"compares {ours} with {theirs}", fix)

    def _check_words(self, parts: tuple[ast.expr, ast.expr], ours: Type, theirs: Type) -> None:
        if ours.what == theirs.what == "text":
            self._bound.say(
                parts[0], "expr-type", "two written words are compared", "compare a signal or flag with a word",
            )
            return
        for part, text, words in ((parts[1], theirs, ours.words), (parts[0], ours, theirs.words)):
            if text.what == "text" and words and text.words[0] not in words:
                self._bound.say(part, "expr-unknown-word", f"{text.words[0]!r} is none of {', '.join(words)}",
                                fix_for(text.words[0], words))

    def _choice(self, node: ast.IfExp) -> tuple[ast.expr, Type]:
        test = self._condition(node.test, "if")
        (body, body_type), (orelse, else_type) = self.bind(node.body), self.bind(node.orelse)
        tree = ast.copy_location(ast.IfExp(test=test, body=body, orelse=orelse), node)
        if "any" in (body_type.what, else_type.what):
            return tree, ANY
        if body_type.what != else_type.what or body_type.what not in ("number", "bool"):
            self._bound.say(node.orelse, "expr-type", f"one branch is {body_type}, the other {else_type}",
                            "let both be numbers of one unit, or both conditions")
            return tree, ANY
        if body_type.what == "bool":
            return tree, BOOL
        try:
            return tree, number(same(body_type.unit, else_type.unit))
        except UnitError as error:
            self._bound.say(node.orelse, "unit-mismatch", str(error), error.fix)
            return tree, ANY
