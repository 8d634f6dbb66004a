"""Refining programs by hand rules: lines of web pages that are no text.

It reads the prompts that `prox` writes and answers in the language of `_programs`, so that the
method can be used, and compared with a model, where there is no model.
"""

from __future__ import annotations

import re

LINE = re.compile(r"^\[(\d{3,})\](.*)$", re.MULTILINE)
NOISE = (
    r"cookies?\b.*\b(use|accept|consent|policy|settings)|\b(use|accept|uses)\b.*\bcookies?\b",
    r"all rights reserved|©|\(c\) ?\d{4}|^copyright\b",
    r"(privacy policy|terms of (use|service)|terms (and|&) conditions|site ?map)\b",
    r"^(sign|log) ?(in|up|out)\b|^register\b|^(my )?account\b",
    r"^(share|tweet|like|follow|pin)\b.*\b(facebook|twitter|this|us|on|it|email|linkedin)\b",
    r"^(subscribe|sign up)\b.*\b(newsletter|today|now|updates|us|feed)\b|newsletter",
    r"^(click|tap) (here|to)\b|^(read|learn|show|see) more\b|^continue reading",
    r"^(skip to|back to|jump to)\b|^(previous|next)( (page|post|article))?\W*$",
    r"^(home|menu|search|contact( us)?|about( us)?|faq|help|login|share|print|reply|comments?)\W*$",
    r"^\d+ (comments?|likes?|shares?|views?|replies)\b|^posted (by|on|in)\b|^(tags?|filed under):",
    r"^advertisement|^sponsored\b|^related (posts|articles|links)|javascript (is|must|to)",
)
_NOISE = re.compile("|".join(f"(?:{n})" for n in NOISE), re.IGNORECASE)
_LINKS = re.compile(r"\s(?:[|»›•·>/]|::)\s")


def is_noise(line: str) -> bool:
    """Whether a line looks like navigation, a notice or a button rather than text.

    Examples
    --------
    >>> is_noise("Home | About | Contact | Help"), is_noise("The heart has four chambers.")
    (True, False)
    """
    plain = line.strip()
    if not plain or len(plain) > 200:  # a long line is a paragraph, whatever it mentions
        return False
    parts = _LINKS.split(plain)
    if len(parts) >= 3 and max(len(p.split()) for p in parts) <= 4:
        return True
    return bool(_NOISE.search(plain)) and len(plain.split()) <= 16


def program(prompt: str) -> str:
    """Return the program for the text in a prompt of `prox`."""
    body = prompt.rpartition("[doc]\n")[2].partition("\n[/doc]")[0]
    numbered = [(int(n), line) for n, line in LINE.findall(body)]
    if not numbered:  # a whole document: drop it when most of its lines are noise
        lines = [line for line in body.split("\n") if line.strip()]
        noise = sum(map(is_noise, lines))
        return "drop_doc()" if noise > 0.8 * len(lines) else "keep_doc()"
    out = [f"remove_lines(line_start={n}, line_end={n})" for n, line in numbered if is_noise(line)]
    return "\n".join(out) or "keep_all()"
