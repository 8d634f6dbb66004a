"""Final answers: find them in a worked solution, bring them to one form, compare."""

from __future__ import annotations

import re
from fractions import Fraction

_SPOKEN = re.compile(r"\banswer\s*(?:is\b\s*:?|:|=)\s*", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:\s*/\s*\d+)?%?")
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]+)\}|(\d))\s*(?:\{([^{}]+)\}|(\d))")
_TEXT = re.compile(r"\\(?:text|mathrm|mbox|mathbf|textbf)\s*\{([^{}]*)\}")


def final_answer(text: str) -> str | None:
    r"""Return the answer that a solution ends with: boxed, announced, or its last number.

    Examples
    --------
    >>> final_answer(r"So we get \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    >>> final_answer("3 + 4 = 7. The answer is 7."), final_answer("that makes 12 eggs")
    ('7', '12')
    """
    boxed = _boxed(text)
    if boxed is not None:
        return boxed
    spoken = [m.end() for m in _SPOKEN.finditer(text)]
    said = text[spoken[-1] :].partition("\n")[0].strip().rstrip(".").strip() if spoken else ""
    if said:
        return said
    numbers = _NUMBER.findall(text)
    return numbers[-1].rstrip(",") if numbers else None


def _boxed(text: str) -> str | None:
    """Return what stands in the last box, braces within it counted."""
    start = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if start < 0:
        return None
    begin = text.index("{", start) + 1
    depth = 1
    for i in range(begin, len(text)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return text[begin:i].strip()
    return None


def plain_answer(text: str) -> str:
    r"""Bring an answer to one form: no dollar signs, units of degree, spaces, thousands commas.

    Examples
    --------
    >>> plain_answer(r"$1{,}250 \text{ metres}$"), plain_answer(r"\dfrac34")
    ('1250metres', '3/4')
    """
    text = (
        text.replace("\\%", "%")
        .replace("\\!", "")
        .replace("{,}", ",")
        .replace("\\left", "")
        .replace("\\right", "")
    )
    text = _TEXT.sub(r"\1", text)
    for _ in range(3):
        text = _FRACTION.sub(lambda m: f"{m[1] or m[2]}/{m[3] or m[4]}".replace(" ", ""), text)
    text = re.sub(r"\\(?:circ|degree|,|;| )|\^\{?\\circ\}?|[$°]|\\\$", "", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?:\D|$))", "", text)
    text = re.sub(r"\s+", "", text).rstrip(".").lower()
    return text.partition("=")[2] if re.match(r"^[a-z]=", text) else text


def number(text: str) -> Fraction | None:
    """Return the exact value of a number, fraction or percentage; None for anything else.

    Examples
    --------
    >>> number("1/2") == number("0.50") == number("50%")
    True
    """
    plain = plain_answer(text)
    if len(plain) > 60:  # no answer anybody wrote, and no number anybody wants to expand
        return None
    percent = plain.endswith("%")
    found = re.fullmatch(
        r"\(?([-+]?\d+(?:\.\d+)?)\)?(?:/\(?([-+]?\d+(?:\.\d+)?)\)?)?",
        plain[: -1 if percent else None],
    )
    if not found or (found[2] and not float(found[2])):
        return None
    value = Fraction(found[1]) / (Fraction(found[2]) if found[2] else 1)
    return value / 100 if percent else value


def same_answer(a: str, b: str) -> bool:
    """Whether two answers say the same: as numbers where both are, else as plain text."""
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return x == y
    return plain_answer(a) == plain_answer(b)


def solves(solution: str, answer: str) -> bool:
    """Whether a solution ends with the given answer."""
    found = final_answer(solution)
    return found is not None and same_answer(found, answer)
