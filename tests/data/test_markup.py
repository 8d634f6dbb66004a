"""HTML, DocBook and mail with the faults that real files have."""

from email.message import EmailMessage

import pytest

from ecotone.data.markup import mail_text, plain_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>a<p>b</p><!-- c --><b>d</b>e", "a\nb\nde"),
        ("<script>var x = '<p>';</script>a<style>b{}</style>", "a"),
        ("a<nav>x<nav>y</nav>z</nav><div class='navheader'>u<div>v</div>w</div>b", "ab"),
        ("<html><head><title>t</title></head><body>b<footer>f</footer></body>", "b"),
        ("x &lt;tag&gt; &#233;&nbsp;&eacute;", "x <tag> \u00e9 \u00e9"),
        ("a  b\n c<br/>d<br>e", "a b c\nd\ne"),
        ("<pre>one\n  two</pre> three  four", "one\ntwo\nthree four"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><th>3</th></tr></table>", "1 2\n\n3"),
        ("a<script src='x'/>b", "ab"),
        ("<div><div></div><p></p><p></p><p></p></div>a", "a"),
        ("</pre></nav>a  b", "a b"),
        ('<!DOCTYPE book [ <!ENTITY app "x"> <!ENTITY y "z"> ]>\n<para>ok</para>', "ok"),
        ("<sect1><title>T</title><indexterm><primary>i</primary></indexterm><para>p</para>",
         "T\n\np"),
    ],
)  # fmt: skip
def test_plain_text(markup, text):
    assert plain_text(markup) == text


def test_simple_mail():
    mail = (
        b"From x@y Thu Aug 22 14:44:07 2002\nReceived: from z\n\tby w\nSubject: Re: tea\n time\n"
        b"\nHello,\n\n\n\ncaf\xe9 at five?\n" + b"QUJD" * 19 + b"\nBye\n"
    )
    assert mail_text(mail) == "Re: tea time\n\nHello,\n\ncaf\u00e9 at five?\n\nBye"


def test_mail_in_two_versions_keeps_the_plain_one():
    mail = EmailMessage()
    mail["Subject"] = "Gr\u00fc\u00dfe"
    mail.set_content("plain version")
    mail.add_alternative("<p>html version</p>", subtype="html")
    mail.add_attachment(b"\0\1\2", maintype="image", subtype="png")
    assert mail_text(mail.as_bytes()) == "Gr\u00fc\u00dfe\n\nplain version"


def test_html_mail_and_odd_headers():
    head = b"Subject: =?unknown-8bit?q?caf=E9?= \nContent-Type: text/html; charset=nonsense\n\n"
    assert mail_text(head + b"<html><p>Buy &amp; win</p></html>").endswith("Buy & win")
    wrong = b"Subject: a\nContent-Type: text/plain\n\n<HTML><body>Buy<p>now</body></HTML>"
    assert mail_text(wrong) == "a\n\nBuy\nnow"
    assert mail_text(b"\n\nno header") == "no header"
    assert mail_text(b"") == ""
