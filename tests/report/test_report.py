from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ecotone.core.errors import BadInput
from ecotone.report import render, write
from ecotone.report.door import checked

# domains are all alike: one of them is enough for each table of numbers by domain
SAME_KIND = {"code", "diagnoses", "licences", "newsgroups", "reviews"}
VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """Reads a page: tags in order, what loads something, text by id, balance of tags."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.ids, self.attributes = [], [], [], []
        self.words = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        facts = dict(attrs)
        self.attributes += [(tag, *pair) for pair in attrs]
        if "id" in facts:
            self.ids.append(facts["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style", "title", "desc"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def titles(html):
    return re.findall(r'<h2 id="([\w-]+)-title"', html)


def test_the_page_is_balanced_and_its_ids_are_unique(analysis):
    page = Page(render(analysis)[0])
    assert len(page.ids) == len(set(page.ids))
    links = [v[1:] for tag, k, v in page.attributes if tag == "a" and k == "href"]
    assert links
    assert set(links) <= set(page.ids)


def test_the_first_screen_says_what_to_do(analysis):
    page = Page(render(analysis)[0]).text
    low, high = analysis["verdict"]["interval"]
    assert "Adapt: train on this mixture." in page
    sentence = (
        f"Clinical loss is {analysis['verdict']['gain']:.2f} nats/token lower than with "
        f"the natural mixture (95 % interval {low:.2f} to {high:.2f}, 3 seeds)."
    )
    assert sentence in page
    assert "up to 3 % was allowed" in page


def test_same_input_same_bytes(analysis):
    first = render(analysis)
    assert first == render(json.loads(json.dumps(analysis)))
    shuffled = {k: analysis[k] for k in reversed(analysis)}
    shuffled["mixture"] = dict(reversed(analysis["mixture"].items()))
    assert first == render(shuffled)


def test_rendering_leaves_its_input_alone(analysis):
    before = copy.deepcopy(analysis)
    render(analysis)
    assert analysis == before


def test_the_page_loads_nothing(analysis, shift_only):
    for facts in (analysis, shift_only):
        html, markdown = render(facts)
        assert not re.search(r"https?:|//[a-z]|@import|url\(", html)
        assert not re.search(r"https?:", markdown)
        page = Page(html)
        loads = [
            (t, k, v) for t, k, v in page.attributes if k in ("src", "srcset", "data", "xlink:href")
        ]
        assert loads == []
        assert not {"link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
        assert "default-src 'none'" in html


def test_only_our_script_may_run(analysis):
    html, _ = render(analysis)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


def test_hostile_names_stay_text_in_html(hostile):
    changed, name = hostile
    html, _ = render(changed)
    page = Page(html)
    assert page.tags.count("script") == 2  # ours, and the data of the slider
    assert not any(k.startswith("on") for _, k, _ in page.attributes)
    assert not re.search(r"<script>alert", html)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;|*_`&quot;&#x27;&amp;amp;" in html
    html.encode()  # no lone surrogate is left
    for char in "\x00\x1b\u202e":
        assert char in name
        assert char not in html


def test_hostile_names_do_not_end_the_data_of_the_slider(hostile):
    changed, _ = hostile
    changed["target"] = "</script ><img src=x onerror=alert(1)>"
    html, _ = render(changed)
    (data,) = re.findall(r'id="frontier-data">(.*?)</script>', html, re.S)
    assert "<" not in data
    assert changed["target"] in json.loads(data)[0]["told"]
    assert "img" not in Page(html).tags


def test_hostile_names_stay_text_in_markdown(hostile):
    changed, _ = hostile
    changed["repeat"] = ["echo '```' && echo '</code><script>'"]
    _, markdown = render(changed)
    assert "\x1b" not in markdown
    rendered = MarkdownIt("commonmark").enable("table").render(markdown)
    page = Page(rendered)
    assert "script" not in page.tags
    assert {"h1", "h2", "table", "code"} <= set(page.tags)
    assert page.tags.count("h1") == 1
    assert "<script>alert(1)</script>|*_`" in page.text
    # no name broke a table: all rows are as wide as their headings
    for table in re.findall(r"<table>(.*?)</table>", rendered, re.S):
        rows = re.findall(r"<tr>(.*?)</tr>", table, re.S)
        assert len({row.count("</t") for row in rows}) == 1


def test_markdown_has_the_sections_and_tables_of_the_page(analysis):
    html, markdown = render(analysis)
    page = Page(html)
    rendered = Page(MarkdownIt("commonmark").enable("table").render(markdown))
    assert rendered.tags.count("h2") == len(titles(html))
    # the bars beside the slider are a table in HTML only
    assert rendered.tags.count("table") == page.tags.count("table") - 1
    for cell in ("natural (do nothing)", "recommended", "effective_data", "48 proxy runs", "C203"):
        assert cell in page.text
        assert cell in rendered.text
    assert analysis["repeat"][0] in rendered.text


def test_sections_follow_the_data(analysis, shift_only):
    assert titles(render(analysis)[0]) == [
        "mixture",
        "confirmation",
        "trade-off",
        "prediction",
        "distances",
        "data",
        "cost",
        "repeat",
    ]
    assert titles(render(shift_only)[0]) == ["distances", "data"]
    bare = {"title": "t", "domains": [{"name": "a"}]}
    assert titles(render(bare)[0]) == ["data"]


def test_a_shift_report_says_what_is_near_and_what_is_far(shift_only):
    page = Page(render(shift_only)[0]).text
    assert "Nearest to clinical is diagnoses (0.19); farthest is code (0.58)." in page
    assert "Each of the 15 pairs differs by more than chance." in page
    shift_only["shift"]["null_high"] = np.full((6, 6), 0.2).tolist()
    assert "1 of 15 pairs differ by no more than chance" in Page(render(shift_only)[0]).text


def test_without_confirmation_nothing_is_called_confirmed(analysis):
    analysis["verdict"] = analysis["confirm"] = analysis["confirm_domains"] = None
    page = Page(render(analysis)[0]).text
    assert "Predicted, not confirmed" in page
    assert "Adapt, by prediction" in page
    assert "run the command again with --confirm" in page
    assert "Not confirmed: no model was trained" in page
    assert "is predicted to rise by 3.0 %; up to 3 % was allowed." in page
    analysis.pop("advice")
    assert "A mixture that nobody has judged yet." in Page(render(analysis)[0]).text


def test_same_seeds_are_claimed_only_when_they_are(analysis):
    assert "with the same seeds for each mixture" in Page(render(analysis)[0]).text
    analysis["confirm"][0]["seed"] = 7
    assert "same seeds" not in Page(render(analysis)[0]).text


def test_keep_says_how_much_would_be_lost(analysis):
    analysis["verdict"].update(decision="keep", gain=-0.031, interval=[-0.045, -0.017])
    page = Page(render(analysis)[0]).text
    assert "Keep the natural mixture." in page
    assert "0.031 nats/token higher" in page
    assert "95 % interval 0.017 to 0.045" in page


def test_cannot_tell_says_that_zero_is_inside(analysis):
    analysis["verdict"].update(decision="cannot tell", gain=0.004, interval=[-0.011, 0.019])
    page = Page(render(analysis)[0]).text
    assert "Cannot tell" in page
    assert "95 % interval −0.011 to 0.019" in page
    assert "Zero lies inside the interval." in page


def test_a_breach_of_the_limit_is_named(analysis):
    analysis["budget"]["tolerance"] = 0.01
    assert "more than the 1 % that was allowed" in Page(render(analysis)[0]).text


def test_the_do_nothing_law_is_leaving_one_out(analysis):
    measured = np.array(analysis["cv"]["target"]["measured"])
    errors = [abs(y - np.delete(measured, i).mean()) for i, y in enumerate(measured)]
    page = Page(render(analysis)[0]).text
    want = f"mean of the others (do nothing) — {np.mean(errors):.3f} "
    assert want + f"{np.sqrt(np.mean(np.square(errors))):.3f}" in page


def test_every_comparison_has_a_do_nothing_row(analysis):
    html, _ = render(analysis)
    by_caption = dict(re.findall(r'<table aria-label="([^"]*)">(.*?)</table>', html, re.S))
    for start in ("Losses in", "Held-out", "Laws", "All 21 points", "Time and", "Distance from"):
        (table,) = (t for c, t in by_caption.items() if c.startswith(start))
        assert '<tr class="natural">' in table, start


def test_the_slider_shows_what_the_frontier_says(analysis):
    html, _ = render(analysis)
    (data,) = re.findall(r'id="frontier-data">(.*?)</script>', html, re.S)
    stops = json.loads(data)
    names = sorted(analysis["mixture"], key=lambda n: -analysis["mixture"][n])
    for stop, point in zip(stops, analysis["frontier"], strict=True):
        assert stop["target"] == f"{point['target']:.3f}"
        assert stop["general"] == f"{point['general']:.3f}"
        shares = [f"{100 * point['weights'][n]:.1f} %" for n in names]
        assert [bar[0] for bar in stop["bars"]] == shares
        assert max(bar[2] for bar in stop["bars"]) <= 100
    assert 'id="tolerance" min="0" max="20" step="1" value="6"' in html


def test_one_point_is_not_a_slider(analysis):
    analysis["frontier"] = analysis["frontier"][:1]
    html, _ = render(analysis)
    assert '<input type="range"' not in html
    assert "trade-off" in titles(html)


def test_total_cost_is_the_sum(analysis):
    page = Page(render(analysis)[0]).text
    assert "180,000,000" in page
    assert "15 times those of the real run" in page


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_part_may_be_missing(analysis, data):
    optional = [k for k in analysis if k not in ("title", "domains")]
    gone = data.draw(st.sets(st.sampled_from(optional)))
    html, markdown = render({k: v for k, v in analysis.items() if k not in gone})
    Page(html)
    assert "nan" not in re.sub(r"[a-z-]*nan[a-z]", "", Page(html).text.lower())
    assert markdown.startswith("# ")


def number_paths(value, path=()):
    """Yield where numbers stand: of lists, the first entry only."""
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value[:1])
        for key, inner in inside:
            yield from number_paths(inner, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def test_any_number_may_be_missing_but_a_share(analysis):
    for number, path in enumerate(number_paths(analysis)):
        broken = copy.deepcopy(analysis)
        place = broken
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = None if number % 2 else float("nan")
        if path[0] in ("mixture", "natural", "uniform"):
            with pytest.raises(BadInput, match="not a share"):
                render(broken)
        elif path[-1] not in SAME_KIND:
            assert ">nan" not in render(broken)[0], path


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"title": None}, "no title"),
        ({"domains": []}, "no domains"),
        ({"domains": [{"role": "source"}]}, r"domains\[0\] has no name"),
        ({"mixture": {"a": -0.1}}, "not a share"),
        ({"mixture": [1]}, "not a table of shares"),
        ({"verdict": {"decision": "perhaps"}}, "verdict.decision is 'perhaps'"),
        ({"verdict": {"decision": "adapt"}}, "verdict.interval"),
        ({"advice": {"decision": "go"}}, "advice.decision"),
        ({"confirm": [{"mixture": "natural"}]}, r"confirm\[0\] has no seed"),
        ({"cv": {"target": {"measured": [1.0], "predicted": []}}}, "cv.target.predicted"),
        ({"shift": {"names": ["a"], "matrix": [[0, 1]]}}, "shift.matrix"),
        ({"shift": {"names": ["a"], "map": [[0]]}}, "shift.map"),
        ({"laws": {"name": "x"}}, "laws is not a list"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_door(change, what):
    with pytest.raises(BadInput, match=what) as error:
        checked({"title": "t", "domains": [{"name": "a"}], **change})
    assert error.value.cure


def test_write_puts_both_files_into_the_run_folder(tmp_path, analysis):
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "analysis.json").write_text(json.dumps(analysis))
    path = write(tmp_path)
    assert path == tmp_path / "report.html"
    html, markdown = render(analysis)
    assert path.read_text(encoding="utf-8") == html
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == markdown
    assert sorted(p.name for p in tmp_path.iterdir()) == ["artifacts", "report.html", "report.md"]


def test_a_failed_report_leaves_the_old_one(tmp_path):
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "artifacts" / "analysis.json").write_text('{"title": "t"}')
    with pytest.raises(BadInput, match="no domains"):
        write(tmp_path)
    assert (tmp_path / "report.html").read_text() == "old"


def test_write_says_what_is_wrong_with_a_folder(tmp_path):
    with pytest.raises(BadInput, match="nothing to report on") as error:
        write(tmp_path)
    assert "ecotone run" in error.value.cure
    (tmp_path / "artifacts").mkdir()
    file = tmp_path / "artifacts" / "analysis.json"
    file.write_text('{\n"title": }')
    with pytest.raises(BadInput, match=r"analysis\.json:2: not JSON"):
        write(tmp_path)
    file.write_text("[]")
    with pytest.raises(BadInput, match="holds a list"):
        write(tmp_path)
