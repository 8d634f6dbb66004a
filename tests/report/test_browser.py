"""The page in a real browser; skipped where Chromium or its driver is missing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from ecotone.report import picture, render

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.net,  # the driver listens on a local port
    pytest.mark.skipif(
        not (CHROMIUM.exists() and DRIVER.exists()),
        reason=f"needs {CHROMIUM} and {DRIVER}: apt-get install chromium chromium-driver",
    ),
]


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    profile = tmp_path_factory.mktemp("profile")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def visit(chrome, tmp_path):
    """Return a function that opens a page in a viewport of a given size."""

    def opened(content, width=1280, height=800, *, dark=False, name="page.html"):
        file = tmp_path / name
        file.write_text(content, encoding="utf-8")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        chrome.get(file.as_uri())
        return chrome

    return opened


def by_id(driver, name):
    return driver.find_element("id", name)


def box(driver, element):
    script = (
        "const b = arguments[0].getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]"
    )
    return driver.execute_script(script, element)


# what sticks out of the window although nothing around it scrolls
STICKING_OUT = """
return [...document.querySelectorAll('main *, header *')].filter(e => {
  if (e.closest('.scroll') || e.closest('.skip')) return false;
  const b = e.getBoundingClientRect();
  return b.width > 0 && (b.right > innerWidth + 0.5 || b.left < -0.5);
}).map(e => e.tagName + ' ' + e.textContent.slice(0, 40))
"""

# labels of a figure that lie on each other, or that the figure cuts off
COLLIDING = """
const found = [];
for (const figure of document.querySelectorAll('svg.fig')) {
  const frame = figure.getBoundingClientRect();
  if (frame.width === 0) continue;
  const texts = [...figure.querySelectorAll('text')].filter(t => !t.hasAttribute('transform'));
  const boxes = texts.map(t => t.getBoundingClientRect());
  boxes.forEach((a, i) => {
    if (a.left < frame.left - 1 || a.right > frame.right + 1) {
      found.push(figure.id + ' cuts ' + texts[i].textContent);
    }
    boxes.slice(0, i).forEach((b, j) => {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 3) {
        found.push(figure.id + ': ' + texts[i].textContent + ' on ' + texts[j].textContent);
      }
    });
  });
}
return found
"""


def test_the_decision_is_on_the_first_screen(visit, analysis):
    driver = visit(render(analysis)[0])
    decision = by_id(driver, "decision")
    evidence = driver.find_element("css selector", ".evidence p")
    assert decision.is_displayed()
    assert decision.text == "Adapt: train on this mixture."
    assert re.search(r"95\s%\sinterval", evidence.text)
    for element in (decision, evidence):
        left, top, right, bottom = box(driver, element)
        assert left >= 0
        assert top >= 0
        assert right <= 1280
        assert bottom <= 800
    assert driver.execute_script("return scrollY") == 0


def shown(driver):
    """Read back everything that the slider changes."""
    rows = driver.find_elements("css selector", "#at-bars tr")
    return {
        "tolerance": by_id(driver, "at-tolerance").text,
        "target": by_id(driver, "at-target").text,
        "general": by_id(driver, "at-general").text,
        "told": by_id(driver, "tolerance").get_attribute("aria-valuetext"),
        "ring": by_id(driver, "frontier-here").get_attribute("cx"),
        "shares": {
            row.find_element("css selector", "th").text: (
                row.find_elements("css selector", "td")[1].text,
                row.find_element("css selector", ".bar").get_attribute("style"),
            )
            for row in rows
        },
    }


def expect(found, point, longest):
    assert float(found["tolerance"].removesuffix(" %")) == pytest.approx(100 * point["tolerance"])
    assert found["target"] == f"{point['target']:.3f}"
    assert found["general"] == f"{point['general']:.3f}"
    assert found["target"] in found["told"]
    for name, share in point["weights"].items():
        text, style = found["shares"][name]
        assert text == f"{100 * share:.1f} %"
        width = float(re.search(r"width: ([\d.]+)%", style)[1])
        assert width == pytest.approx(100 * share / longest, abs=0.01)


def test_the_slider_walks_along_the_frontier(visit, analysis):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    driver = visit(render(analysis)[0])
    points = analysis["frontier"]
    every = [*points, {"weights": analysis["natural"]}]
    longest = max(share for p in every for share in p["weights"].values())
    slider = by_id(driver, "tolerance")
    assert slider.is_displayed()
    expect(shown(driver), points[6], longest)

    ActionChains(driver).move_to_element(slider).perform()
    driver.execute_script("arguments[0].focus()", slider)
    rings = [shown(driver)["ring"]]
    for keys, stop in (
        (Keys.ARROW_RIGHT, 7),
        (Keys.ARROW_RIGHT, 8),
        (Keys.ARROW_LEFT, 7),
        (Keys.HOME, 0),
        (Keys.END, 20),
    ):
        ActionChains(driver).send_keys(keys).perform()
        found = shown(driver)
        expect(found, points[stop], longest)
        rings.append(found["ring"])
    # along the frontier, general loss rises: the ring moves right
    six, seven, eight, back, first, last = map(float, rings)
    assert first < six < seven < eight < last
    assert back == seven

    ActionChains(driver).drag_and_drop_by_offset(slider, -500, 0).perform()
    expect(shown(driver), points[0], longest)


def test_the_page_is_quiet(visit, analysis, shift_only, hostile):
    for facts in (analysis, shift_only, hostile[0]):
        driver = visit(render(facts)[0])
        assert driver.get_log("browser") == []
        loaded = driver.execute_script(
            "return performance.getEntriesByType('resource').map(e => e.name)"
        )
        assert loaded == []


def test_a_hostile_name_is_only_shown(visit, hostile):
    changed, _ = hostile
    driver = visit(render(changed)[0])
    # an alert would have stopped this line
    assert "<script>alert(1)</script>" in driver.find_element("css selector", "main").text


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_makes_the_page_scroll_sideways(visit, analysis, hostile, width):
    for facts in (analysis, hostile[0]):
        driver = visit(render(facts)[0], width, 844)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        assert driver.execute_script(STICKING_OUT) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_labels_do_not_collide(visit, analysis, width):
    assert visit(render(analysis)[0], width, 844).execute_script(COLLIDING) == []


def test_labels_do_not_collide_with_many_domains(visit, analysis):
    names = [f"subset_with_a_long_name_{i}" if i % 4 else f"wiki-{i}" for i in range(20)]
    n = len(names)
    shares = {name: (i + 1) / (n * (n + 1) / 2) for i, name in enumerate(names)}
    spots = [[(7 * i) % n, (3 * i * i) % 11] for i in range(n)]
    far = [[abs(a[0] - b[0]) + abs(a[1] - b[1]) for b in spots] for a in spots]
    facts = {
        "title": "Many",
        "domains": [{"name": name, "role": "source", "tokens": 1000} for name in names],
        "budget": {"tokens": 30_000, "caps": 2.0},
        "mixture": shares,
        "natural": dict.fromkeys(names, 1 / n),
        "shift": {"measure": "made up", "names": names, "matrix": far, "map": spots},
    }
    driver = visit(render(facts)[0])
    assert driver.execute_script(COLLIDING) == []


def test_dark_and_light_differ_and_can_be_read(visit, analysis):
    colours = []
    for dark in (False, True):
        driver = visit(render(analysis)[0], dark=dark)
        script = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
        ground, ink = driver.execute_script(script)
        bright = [sum(map(int, re.findall(r"\d+", c)[:3])) for c in (ground, ink)]
        assert (bright[0] < bright[1]) is dark
        colours.append(ground)
    assert colours[0] != colours[1]


def test_tables_can_be_opened_and_commands_copied(visit, analysis):
    driver = visit(render(analysis)[0])
    for details in driver.find_elements("css selector", "details"):
        table = details.find_element("css selector", "table")
        assert not table.is_displayed()
        details.find_element("css selector", "summary").click()
        assert table.is_displayed()
    blocks = driver.find_elements("css selector", ".commands pre")
    assert len(blocks) == len(analysis["repeat"])
    code = blocks[0].find_element("css selector", "code")
    assert code.get_attribute("textContent") == analysis["repeat"][0]
    blocks[0].find_element("css selector", "button").click()
    script = "return getSelection().toString()"
    assert driver.execute_script(script).split() == analysis["repeat"][0].split()


def test_without_script_the_page_still_says_everything(visit, analysis):
    html, _ = render(analysis)
    driver = visit(re.sub(r"<script>.*?</script>", "", html, flags=re.S))
    assert not by_id(driver, "tolerance").is_displayed()
    point = analysis["frontier"][6]
    assert by_id(driver, "at-target").text == f"{point['target']:.3f}"


def test_a_standalone_picture_opens_alone(visit, analysis):
    driver = visit(picture(analysis, "frontier"), name="frontier.svg")
    assert driver.execute_script("return document.documentElement.tagName") == "svg"
    text = driver.execute_script("return getComputedStyle(document.querySelector('text')).fill")
    assert text != "rgb(0, 0, 0)"
    assert driver.get_log("browser") == []
    assert json.loads(json.dumps(analysis["target"])) in driver.page_source
