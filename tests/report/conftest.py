from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

# --import-mode=importlib keeps this folder off the path: the builder is loaded by its file
_SPEC = importlib.util.spec_from_file_location(
    "report_fixture", Path(__file__).with_name("fixture.py")
)
builder = importlib.util.module_from_spec(_SPEC)
sys.modules["report_fixture"] = builder
_SPEC.loader.exec_module(builder)


@pytest.fixture
def analysis():
    return builder.build_analysis()


@pytest.fixture
def shift_only():
    return builder.build_shift_only()
