"""The peer as a fixture: importing it switches a global setting of scikit-learn; undone here."""

from __future__ import annotations

import warnings

import pytest
import sklearn


@pytest.fixture
def skada():
    """Give the package skada, with scikit-learn's routing on only while the test runs."""
    before = sklearn.get_config()["enable_metadata_routing"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = pytest.importorskip("skada")
        sklearn.set_config(enable_metadata_routing=True)
        yield peer
    sklearn.set_config(enable_metadata_routing=before)
