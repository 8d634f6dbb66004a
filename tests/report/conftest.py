from __future__ import annotations

import copy
import importlib.util
import sys
from pathlib import Path

import pytest

# --import-mode=importlib keeps this folder off the path: the builder is loaded by its file
_FILE = Path(__file__).with_name("fixture.py")
_SPEC = importlib.util.spec_from_file_location("report_fixture", _FILE)
builder = importlib.util.module_from_spec(_SPEC)
sys.modules["report_fixture"] = builder
_SPEC.loader.exec_module(builder)


@pytest.fixture(scope="session")
def _built():
    return builder.build_analysis()


@pytest.fixture
def analysis(_built):
    """A whole mixing run with a verdict; free to be changed."""
    return copy.deepcopy(_built)


@pytest.fixture
def shift_only():
    return builder.build_shift_only()


@pytest.fixture
def hostile(_built):
    """The same with a domain whose name tries everything."""
    name = "<script>alert(1)</script>|*_`\"'&amp;\n# x\x00\x1b[2J\u202e\ud800]](x)$"
    return _renamed(copy.deepcopy(_built), "code", name), name


def _renamed(value, old, new):
    if isinstance(value, dict):
        return {new if k == old else k: _renamed(v, old, new) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(v, old, new) for v in value]
    return new if value == old else value
