"""The canonical string of a parsed answer.

Sets, intervals and relations are written out by hand: evaluating each one loses answers, as an
open interval (1, 1) that was meant as a point evaluates to the empty set. Only what is done with
sets is evaluated.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

_CONDITIONS = (sp.core.relational.Relational, sp.And, sp.Or)
_OPERATIONS = (sp.Union, sp.Intersection, sp.Complement)


class UnshowableError(ValueError):
    """The value has no canonical form here."""


def render(value: Any) -> str:
    """Return a string that equal values share; raises ``UnshowableError``, or what SymPy raises."""
    if isinstance(value, sp.MatrixBase):
        rows = (", ".join(map(render, row)) for row in value.tolist())
        return "[" + "; ".join(rows) + "]"
    if isinstance(value, sp.Tuple | tuple | list):
        return "(" + ", ".join(map(render, value)) + ")"
    if isinstance(value, sp.Set):
        return _set(value)
    if isinstance(value, _CONDITIONS):
        return _relation(value)
    if isinstance(value, sp.Expr):
        return str(_simple(value))
    raise UnshowableError(type(value).__name__)


def _set(value: Any) -> str:
    if isinstance(value, sp.Interval):
        left = "(" if value.left_open else "["
        right = ")" if value.right_open else "]"
        return f"{left}{render(value.start)}, {render(value.end)}{right}"
    if isinstance(value, sp.FiniteSet):
        return _collection(list(value.args))
    if isinstance(value, _OPERATIONS):
        return _operation(value.func(*map(_exact, value.args)))
    if value is sp.S.EmptySet:
        return "{}"
    return str(value)


def _operation(value: Any) -> str:
    if isinstance(value, sp.Union):
        return _union(map(render, value.args))
    if isinstance(value, sp.Complement):
        return " minus ".join(map(render, value.args))
    if isinstance(value, sp.Intersection):
        return " & ".join(sorted(map(render, value.args)))
    return _set(value)


def _exact(value: Any) -> Any:
    """Return the set with its members and ends in canonical form, so that they can be compared."""
    if isinstance(value, sp.FiniteSet):
        return sp.FiniteSet(
            *(_simple(one) if isinstance(one, sp.Expr) else one for one in value.args)
        )
    if isinstance(value, sp.Interval):
        ends = _simple(value.start), _simple(value.end)
        return sp.Interval(*ends, value.left_open, value.right_open)
    if isinstance(value, _OPERATIONS):
        return value.func(*map(_exact, value.args))
    return value


def _collection(members: list[Any]) -> str:
    """Write a finite set, or what the parser made one of: a list of solutions or conditions."""
    sides = {str(member.lhs) for member in members if isinstance(member, sp.Equality)}
    if len(sides) > 1:
        # {x = 1, y = 2} keeps its names: without them it would equal {x = 2, y = 1}.
        shown = [_named(member) for member in members]
    elif members and all(isinstance(member, sp.Unequality) for member in members):
        # Solutions are alternatives; what is left out is left out together.
        return _relation(sp.And(*members))
    elif members and not sides and all(isinstance(member, _CONDITIONS) for member in members):
        return _union(map(render, members))
    else:
        shown = [render(member) for member in members]
    distinct = sorted(set(shown))
    return distinct[0] if len(distinct) == 1 else "{" + ", ".join(distinct) + "}"


def _named(member: Any) -> str:
    if isinstance(member, sp.Equality):
        return f"{render(member.lhs)} = {render(member.rhs)}"
    return render(member)


def _union(parts: Iterable[str]) -> str:
    return " U ".join(sorted(set(parts)))


def _relation(value: Any) -> str:
    if isinstance(value, sp.Equality):
        return _equation(value.lhs, value.rhs)
    evaluated = _evaluated(value)
    if len(evaluated.free_symbols) == 1:
        with suppress(NotImplementedError):
            return render(evaluated.as_set())
    if isinstance(evaluated, sp.And):
        return " & ".join(sorted(map(_relation, evaluated.args)))
    if isinstance(evaluated, sp.Or):
        return _union(map(_relation, evaluated.args))
    if isinstance(evaluated, sp.Unequality):
        return f"{_polynomial(evaluated.lhs - evaluated.rhs)} != 0"
    if isinstance(evaluated, sp.core.relational.Relational):
        comparison = ">" if evaluated.rel_op in ("<", ">") else ">="
        return f"{_positive(evaluated.gts - evaluated.lts)} {comparison} 0"
    raise UnshowableError(str(value))


def _evaluated(value: Any) -> Any:
    if isinstance(value, sp.And | sp.Or):
        return value.func(*map(_evaluated, value.args))
    if isinstance(value, sp.core.relational.Relational):
        return value.func(_simple(value.lhs), _simple(value.rhs))
    raise UnshowableError(str(value))


def _equation(left: Any, right: Any) -> str:
    """Write an assignment as its value and any other equation as ``polynomial = 0``."""
    for name, value in ((left, right), (right, left)):
        if _is_name(name) and not _is_name(value) and not _mentions(value, name):
            return render(value)
    if isinstance(left, sp.Expr) and isinstance(right, sp.Expr):
        return f"{_polynomial(left - right)} = 0"
    raise UnshowableError(f"{left} = {right}")


def _is_name(value: Any) -> bool:
    if isinstance(value, sp.Pow):
        return isinstance(value.base, AppliedUndef)
    if isinstance(value, sp.Tuple):
        return all(map(_is_name, value))
    if isinstance(value, sp.Interval):
        return _is_name(value.start) and _is_name(value.end)
    return isinstance(value, sp.Symbol | AppliedUndef)


def _mentions(value: Any, name: Any) -> bool:
    return isinstance(name, sp.Symbol) and name in value.free_symbols


def _polynomial(difference: Any) -> str:
    """Write ``difference`` up to a constant factor, which its zeros do not depend on."""
    numerator = sp.expand(sp.fraction(sp.together(_simple(difference)))[0])
    _, primitive = numerator.as_content_primitive()
    primitive = sp.expand(primitive)
    return str(-primitive if primitive.could_extract_minus_sign() else primitive)


def _positive(difference: Any) -> str:
    """Write ``difference`` up to a positive factor."""
    content, primitive = _simple(difference).as_content_primitive()
    return str(sp.expand(primitive if content > 0 else -primitive))


def _simple(expression: Any) -> Any:
    """Return the evaluated, expanded, cancelled form, with roots out of denominators."""
    # A decimal is exact as written; a float keeps 15 digits of it.
    floats = {number: sp.Rational(str(number)) for number in expression.atoms(sp.Float)}
    expression = expression.xreplace(floats)
    # The parser's assumptions about a symbol depend on the rest of the text.
    symbols = {symbol: _symbol(symbol.name) for symbol in expression.free_symbols}
    result = sp.expand(expression.xreplace(symbols).doit())
    if result.is_number:
        result = sp.expand(sp.sqrtdenest(sp.radsimp(result)))
    else:
        result = sp.expand(sp.cancel(result))
    if result.has(sp.nan, sp.zoo):
        raise UnshowableError(str(result))
    return result


def _symbol(name: str) -> Any:
    return sp.I if name == "i" else sp.Symbol(name, real=True)
