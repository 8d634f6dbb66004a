"""The catalogue is read from text: a new method is a new file, also in another package."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from ecotone.core import method as catalogued
from ecotone.core.errors import BadInput, MissingExtra, UnknownMethod
from ecotone.core.method import catalogue, find, read_methods
from ecotone.testing import laws

TOY = '''"""A toy."""

import numpy as np

from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method


@method(name="toy_mean", paper="", needs=set(), handles={"covariate"})
def toy_mean(A, B, *, rng, scale: float = 1.0) -> float:
    """Distance of the means.

    Parameters
    ----------
    A : ndarray
        One side.
    B : ndarray
        The other.
    rng : Generator
        Not used.
    scale : float, default 1.0
        A factor.
    """
    if min(len(A), len(B)) < 1:
        raise TooFewRows("toy_mean: no rows.", cure="give rows")
    if A.shape[1] != B.shape[1] or np.isnan(A).any() or np.isnan(B).any():
        raise BadInput("toy_mean: no numbers.", cure="give numbers")
    return float(scale * np.linalg.norm(A.mean(axis=0) - B.mean(axis=0)))
'''
CARD = (
    """```toml
method = "toy_mean"
[[claim]]
id = "zero"
says = "equal means are at distance 0"
check = { test = "test_toy.py::test_zero" }
[[fails]]
when = "only the spread differs"
check = { test = "test_toy.py::test_spread" }
```

"""
    + "The distance of the means sees a shift of the means, and nothing else at all. " * 4
)


@pytest.fixture
def fresh_catalogue():
    catalogue.cache_clear()
    yield
    catalogue.cache_clear()


@pytest.fixture
def plugin(tmp_path, monkeypatch, fresh_catalogue):
    """A package with one method, named by an entry point."""
    room = tmp_path / "toypack" / "shift"
    room.mkdir(parents=True)
    for folder in (room.parent, room):
        (folder / "__init__.py").write_text("")
    (room / "toy_mean.py").write_text(TOY)
    (room / "toy_mean.md").write_text(CARD)
    monkeypatch.syspath_prepend(tmp_path)
    entry = SimpleNamespace(value="toypack")
    monkeypatch.setattr(catalogued, "entry_points", lambda group: [entry])
    yield room
    for name in [n for n in sys.modules if n.startswith("toypack")]:
        del sys.modules[name]


def test_a_file_is_a_method_and_nothing_is_imported(tmp_path):
    (tmp_path / "toy_mean.py").write_text(TOY + "\nraise RuntimeError('imported')\n")
    (found,) = read_methods(tmp_path, "shift", "toypack.shift")
    assert (found.name, found.room, found.target) == (
        "toy_mean",
        "shift",
        "toypack.shift.toy_mean:toy_mean",
    )
    assert found.summary == "Distance of the means."
    assert [(p.name, p.default, p.says) for p in found.params] == [("scale", 1.0, "A factor.")]
    assert found.source_free
    assert found.card_path == tmp_path / "toy_mean.md"


def test_a_plugin_is_in_the_catalogue_and_keeps_the_laws(plugin):
    found = find("toy_mean", "shift")
    assert found.path == plugin / "toy_mean.py"
    assert found.record()["claims"][0]["id"] == "zero"
    for law in laws.of(found):
        law(found)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("default 1.0", "default 2.0", "documented 2.0"),
        ("    scale : float, default 1.0\n        A factor.\n", "", "scale is not in"),
        ("Distance of the means.", "Distance of the means", "begins with no sentence"),
        ("cure=", "why=", "no cure"),
        ("float(scale", "float(np.random.default_rng().random() + scale", r"d\(A, B\)"),
        ("    return float", "    A -= 1.0\n    return float", "read-only"),
        ("A.mean(axis=0) - B.mean(axis=0)", "0 * A.mean(axis=0)", "distances at growing shifts"),
    ],
)
def test_a_method_that_breaks_a_law_is_found(plugin, old, new, says):
    assert old in TOY
    (plugin / "toy_mean.py").write_text(TOY.replace(old, new))
    found = find("toy_mean")

    def all_laws():
        for law in laws.of(found):
            law(found)

    with pytest.raises((laws.Broken, ValueError), match=says):
        all_laws()


def test_two_methods_of_one_name_are_refused(plugin):
    other = TOY.replace("toy_mean", "mmd")
    (plugin / "mmd.py").write_text(other)
    with pytest.raises(BadInput, match="two methods are called mmd"):
        catalogue()


def test_words_outside_the_vocabulary_are_refused(tmp_path):
    (tmp_path / "toy_mean.py").write_text(TOY.replace('"covariate"', '"everything"'))
    with pytest.raises(BadInput, match="handles has no word 'everything'"):
        list(read_methods(tmp_path, "shift", "x"))


def test_a_misspelt_name_gets_near_ones():
    with pytest.raises(UnknownMethod) as error:
        find("naturel", "mix")
    assert "natural" in error.value.cure


def test_a_missing_extra_names_its_install(tmp_path, plugin):
    text = TOY.replace('handles={"covariate"}', 'handles=set(), extra="ot"')
    (plugin / "toy_mean.py").write_text("import package_nobody_has\n" + text)
    with pytest.raises(MissingExtra) as error:
        find("toy_mean").load()
    assert error.value.cure == 'pip install "ecotone[ot]"'


@pytest.mark.parametrize("room", ["shift", "mix"])
def test_rooms_name_their_methods(room):
    import importlib

    package = importlib.import_module(f"ecotone.{room}")
    for m in catalogue():
        if m.room == room:
            assert m.object_name in dir(package)
            for _ in range(2):  # importing the file must not put the module in the method's place
                assert getattr(package, m.object_name) is m.load(), m.name
    with pytest.raises(AttributeError, match="ecotone methods"):
        package.Nothing  # noqa: B018
