"""Numbers as text, and plain aligned tables for terminals and logs.

Each function that turns a number into text is named after what the number is, so that the same
quantity looks the same in the terminal, in the page and in Markdown. A missing number (``None`` or
NaN) is a dash.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

MISSING = "—"
MINUS = "−"
_NUMBER = re.compile(rf"^[+{MINUS}-]?(\d|[<≤] ?\d|{MISSING}$)")


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> str:
    """Align a table in plain text; no colours, no frame, no dependence on the terminal.

    A column whose cells all begin like a number is set to the right, every other one to the left.
    Widths count the columns of a terminal, so that wide characters stay aligned; control
    characters are replaced, so that a name cannot steer the terminal.

    Parameters
    ----------
    columns : sequence of str
        Headings; printed in capitals.
    rows : sequence of sequences of str or None
        One cell per heading; ``None`` is a dash.

    Returns
    -------
    str
        Lines without trailing spaces, joined by newlines, no newline at the end.

    Raises
    ------
    ValueError
        A row has another number of cells than there are headings.

    Examples
    --------
    >>> print(text_table(["domain", "share"], [["law", "50.0 %"], ["web", "9.5 %"]]))
    DOMAIN   SHARE
    law     50.0 %
    web      9.5 %
    """
    for number, row in enumerate(rows):
        if len(row) != len(columns):
            raise ValueError(f"row {number} has {len(row)} cells, not {len(columns)}")
    cells = [[one_line(MISSING if c is None else c) for c in row] for row in rows]
    heads = [one_line(c).upper() for c in columns]
    right = [is_numeric([r[i] for r in cells]) for i in range(len(heads))]
    lines = [heads, *cells]
    widths = [max(_columns_of(line[i]) for line in lines) for i in range(len(heads))]
    return "\n".join(
        "  ".join(
            _pad(c, w, at_right=r) for c, w, r in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def is_numeric(cells: Sequence[str]) -> bool:
    """Whether every cell of a column begins like a number, or is a dash.

    >>> is_numeric(["< 0.1 %", "—", "+0.41"]), is_numeric(["3 runs", "law"]), is_numeric([])
    (True, False, False)
    """
    return bool(cells) and all(_NUMBER.match(cell) for cell in cells)


def one_line(text: str) -> str:
    """Replace what could break a line or steer a reader: controls, bidi marks, lone surrogates."""
    line = str(text)
    return line if line.isascii() and line.isprintable() else "".join(map(_visible, line))


def _visible(char: str) -> str:
    if char in "\t\n\r\x0b\x0c\x85\u2028\u2029":
        return " "
    # Cc, Cs: forbidden in XML or in UTF-8; Cn holds the noncharacters U+FFFE and U+FFFF
    bad = unicodedata.category(char) in ("Cc", "Cs", "Cn") or "\u202a" <= char <= "\u202e"
    return "\ufffd" if bad or "\u2066" <= char <= "\u2069" else char


def _columns_of(text: str) -> int:
    """Count the terminal columns of a text: wide characters take two, combining ones none."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _pad(text: str, width: int, *, at_right: bool) -> str:
    space = " " * (width - _columns_of(text))
    return space + text if at_right else text + space


def known(value: float | None) -> bool:
    """Whether there is a finite number to show."""
    return value is not None and math.isfinite(value)


def fixed(value: float | None, decimals: int) -> str:
    """Write with so many decimals and a true minus sign; nothing is written as minus zero.

    >>> fixed(-0.041, 2), fixed(-0.001, 2), fixed(None, 2)
    ('−0.04', '0.00', '—')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:,.{decimals}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float | None, decimals: int) -> str:
    """Write with its sign, also when positive; a rounded zero has none.

    >>> signed(0.041, 2), signed(-0.041, 2), signed(0.001, 2)
    ('+0.04', '−0.04', '0.00')
    """
    text = fixed(value, decimals)
    return f"+{text}" if text[0] != MINUS and text.strip("0.,") not in ("", MISSING) else text


def loss(value: float | None) -> str:
    """Write a loss in nats per token, three decimals."""
    return fixed(value, 3)


def loss_change(value: float | None) -> str:
    """Write a difference of two losses in nats per token, signed, three decimals."""
    return signed(value, 3)


def share(value: float | None) -> str:
    """Write a share of 1 as percent.

    >>> share(0.1234), share(0.0004), share(0), share(1)
    ('12.3 %', '< 0.1 %', '0.0 %', '100.0 %')
    """
    if value is not None and 0 < value < 0.0005:
        return "< 0.1 %"
    return _percent(value, 1)


def tolerance(value: float | None) -> str:
    """Write an allowed relative rise as percent, as short as it is exact to 0.01 %.

    >>> tolerance(0.03), tolerance(0.025), tolerance(0.0)
    ('3 %', '2.5 %', '0 %')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{100 * value:.2f}".rstrip("0").rstrip(".").replace("-", MINUS) + " %"


def relative_change(value: float | None) -> str:
    """Write a relative change as signed percent.

    >>> relative_change(0.0189), relative_change(-0.336)
    ('+1.9 %', '−33.6 %')
    """
    return signed(100 * value, 1) + " %" if value is not None and known(value) else MISSING


def level(value: float | None) -> str:
    """Write a coverage.

    >>> level(0.95), level(0.995)
    ('95 %', '99.5 %')
    """
    return tolerance(value)


def _percent(value: float | None, decimals: int) -> str:
    return fixed(100 * value, decimals) + " %" if value is not None and known(value) else MISSING


def epochs(value: float | None) -> str:
    """Write how often a domain is read, two significant digits or one decimal.

    >>> epochs(0.0), epochs(0.004), epochs(0.36), epochs(3.62), epochs(41.4)
    ('0', '< 0.01', '0.36', '3.6', '41')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    if value < 0.01:
        return "< 0.01"
    return fixed(value, 2 if value < 0.995 else 1 if value < 9.95 else 0)


def tokens(value: float | None) -> str:
    """Write a count of tokens or documents exactly.

    >>> tokens(12345678)
    '12,345,678'
    """
    return fixed(value, 0)


def tokens_short(value: float | None) -> str:
    """Write a count of tokens in three digits, for prose.

    >>> tokens_short(950), tokens_short(12_345_678), tokens_short(2e8), tokens_short(999_999)
    ('950', '12.3 M', '200 M', '1 M')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if round(value / size, 3) >= 1:
            number = f"{value / size:.3g}"
            return (f"{value / size:.0f}" if "e" in number else number) + unit
    return f"{value:.0f}"


def seconds(value: float | None) -> str:
    """Write a duration for people.

    >>> seconds(0.42), seconds(41.3), seconds(192), seconds(7500), seconds(0)
    ('0.42 s', '41 s', '3 min 12 s', '2 h 05 min', '0 s')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0 s"
    if value < 9.95:
        return f"{value:.2g} s"
    if round(value) < 60:
        return f"{value:.0f} s"
    if round(value) < 3600:
        return f"{round(value) // 60} min {round(value) % 60:02d} s"
    minutes = round(value / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def correlation(value: float | None) -> str:
    """Write a correlation, two decimals; what is not quite 1 is not written as 1.

    >>> correlation(0.934), correlation(0.9991), correlation(-0.2)
    ('0.93', '0.999', '−0.20')
    """
    if value is not None and 0.995 <= abs(value) < 1:
        return fixed(math.copysign(math.floor(1000 * abs(value)) / 1000, value), 3)
    return fixed(value, 2)


def p_value(value: float | None) -> str:
    """Write a probability value with its sign of comparison.

    >>> p_value(0.2), p_value(0.0123), p_value(1e-9)
    ('p = 0.20', 'p = 0.012', 'p < 0.001')
    """
    if value is None or not math.isfinite(value):
        return f"p {MISSING}"
    if value < 0.001:
        return "p < 0.001"
    return f"p = {fixed(value, 3 if value < 0.0995 else 2)}"


def decimals_for(low: float, high: float) -> int:
    """Return how many decimals an interval deserves.

    Two digits of its width when they begin below 35, one otherwise; at least two decimals, and
    enough that no end is rounded to zero, which would hide its sign; at most six.

    >>> decimals_for(0.382, 0.441), decimals_for(0.401, 0.416), decimals_for(0.0004, 0.03)
    (2, 3, 4)
    """
    width = abs(high - low)
    if not math.isfinite(width):
        return 3
    places = 3
    if width > 0:
        power = math.floor(math.log10(width))
        places = min(max(-power + (width / 10**power < 3.5), 2), 6)
    for end in (low, high):
        while places < 6 and end != 0 and round(end, places) == 0:
            places += 1
    return places


def interval(low: float | None, high: float | None, decimals: int | None = None) -> str:
    """Write the two ends of an interval.

    >>> interval(0.3821, 0.4413)
    '0.38 to 0.44'
    """
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return MISSING
    places = decimals_for(low, high) if decimals is None else decimals
    return f"{fixed(low, places)} to {fixed(high, places)}"
