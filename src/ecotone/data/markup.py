"""HTML, DocBook and mail as plain text."""

from __future__ import annotations

import email
import re
from email.header import decode_header, make_header
from email.message import Message
from html.parser import HTMLParser

_SKIPPED = frozenset({"script", "style", "nav", "head", "footer", "indexterm", "template"})
_AS_IS = frozenset({"pre", "programlisting", "screen", "literallayout", "textarea"})
_BLOCKS = frozenset(  # of HTML and of DocBook
    {"p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "ul", "ol", "dl", "dt", "dd",
     "table", "tr", "br", "hr", "pre", "blockquote", "section", "article", "header", "main",
     "aside", "form", "figure", "figcaption", "caption", "address", "body", "center", "para",
     "simpara", "title", "titleabbrev", "subtitle", "sect1", "sect2", "sect3", "sect4", "sect5",
     "chapter", "appendix", "preface", "listitem", "itemizedlist", "orderedlist",
     "variablelist", "varlistentry", "term", "note", "tip", "warning", "caution", "important",
     "programlisting", "screen", "literallayout", "row", "entry", "informaltable", "example",
     "formalpara", "glossentry", "glossterm", "glossdef", "question", "answer", "qandaentry",
     "step", "procedure", "abstract"}
)  # fmt: skip
_BASE64 = re.compile(r"^[A-Za-z0-9+/=]{60,}$", re.MULTILINE)
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*(\[.*?\]\s*)?>", re.DOTALL | re.IGNORECASE)


class _Text(HTMLParser):
    """Collects the text between tags; block tags become line ends."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.skipping: list[str] = []  # the skipped element and its like inside it
        self.as_is = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        role = dict(attrs).get("class") or ""
        if self.skipping:
            self.skipping += [tag] * (tag == self.skipping[0])
        elif tag in _SKIPPED or (tag == "div" and role.startswith("nav")):
            self.skipping.append(tag)
        elif tag in _BLOCKS:
            self.parts.append("\n")
            self.as_is += tag in _AS_IS
        elif tag in ("td", "th"):
            self.parts.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # an empty element opens nothing, so it neither starts skipping nor keeps blanks
        if not self.skipping and tag in _BLOCKS - _AS_IS:
            self.handle_starttag(tag, attrs[:0])

    def handle_endtag(self, tag: str) -> None:
        if self.skipping:
            if tag == self.skipping[0]:
                self.skipping.pop()
        elif tag in _BLOCKS:
            self.parts.append("\n")
            self.as_is = max(0, self.as_is - (tag in _AS_IS))

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.parts.append(data if self.as_is else re.sub(r"\s+", " ", data))


def plain_text(markup: str) -> str:
    r"""Turn HTML or DocBook into text.

    Scripts, styles, page heads, footers and navigation are dropped, block elements become lines,
    entities become characters, runs of blanks one blank, runs of empty lines one empty line.

    Examples
    --------
    >>> plain_text("<head>x</head><h1>Tea &amp; milk</h1><p>Drink  it\n<b>hot</b>.<p>Or not.")
    'Tea & milk\n\nDrink it hot.\nOr not.'
    """
    parser = _Text()
    parser.feed(_DOCTYPE.sub("", markup))
    parser.close()
    lines = (
        re.sub(r"[ \t\r\f\v\xa0]+", " ", line).strip() for line in "".join(parser.parts).split("\n")
    )
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def mail_text(data: bytes) -> str:
    """Return the subject and the text of a mail; HTML and lines of base64 are cleaned away."""
    message = email.message_from_bytes(data)
    parts = [p for p in message.walk() if not p.is_multipart()]
    texts = [_payload(p) for p in parts if p.get_content_type() == "text/plain"]
    if not any(text.strip() for text in texts):
        texts = [plain_text(_payload(p)) for p in parts if p.get_content_type() == "text/html"]
    texts = [plain_text(t) if re.search(r"<(html|body)\b", t, re.I) else t for t in texts]
    body = _BASE64.sub("", "\n\n".join(texts)).replace("\r\n", "\n")
    return re.sub(r"\n{3,}", "\n\n", f"{_subject(message)}\n\n{body}").strip()


def _subject(message: Message) -> str:
    raw = str(message.get("Subject", ""))
    try:
        text = str(make_header(decode_header(raw)))
    except (ValueError, LookupError):  # damaged or unknown encodings are common in old mail
        text = raw
    return " ".join(text.encode(errors="replace").decode().split())


def _payload(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    try:
        return data.decode(part.get_content_charset("utf-8"))
    except (UnicodeDecodeError, LookupError):
        return data.decode("latin-1")
