"""Who takes part in the comparison of the room align: every method, and a peer's defaults."""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from ecotone.core.method import catalogue, find

# the peer's estimators at their defaults, around a logistic regression unless they bring their own;
# without its DASVMClassifier, which takes minutes at 2,000 rows and then cannot be asked to predict
PEER = (
    "CORAL", "LinearOTMapping", "OTMapping", "EntropicOTMapping", "ClassRegularizerOTMapping",
    "SubspaceAlignment", "TransferComponentAnalysis", "TransferJointMatching",
    "TransferSubspaceLearning", "DensityReweight", "DiscriminatorReweight", "GaussianReweight",
    "KLIEPReweight", "KMMReweight", "MMDTarSReweight", "NearestNeighborReweight", "OTLabelProp",
    "JCPOTLabelProp", "MMDLSConSMapping", "MultiLinearMongeAlignment", "JDOTClassifier",
)  # fmt: skip
NEEDS = {"source_rows", "source_labels", "target_rows"}  # what a task of the bench can give


def ours() -> list[str]:
    """Return the methods of the room that need no more than rows, labels and target rows."""
    return [
        m.name for m in catalogue()
        if m.room == "align" and m.name != "source_only" and m.needs <= NEEDS
    ]  # fmt: skip


def peers() -> list[str]:
    """Return the peer's names, or nothing where the peer is not installed."""
    if importlib.util.find_spec("skada") is None:
        return []
    return [f"skada {name}" for name in PEER]


def fitted(way: str, X: Any, y: Any, domain: Any) -> Any:
    """Fit one contender with its defaults."""
    if not way.startswith("skada "):
        return find(way, "align").load()().fit(X, y, sample_domain=domain)
    with _peer() as skada:
        made = getattr(skada, way.removeprefix("skada "))
        own = way.endswith(("Classifier", "SubspaceLearning"))
        model = made() if own else made(base_estimator=_base(way))
        model.fit(X, y, sample_domain=domain)
    return _Predicts(model)


class _Predicts:
    """A fitted model of the peer; it predicts with the settings it was fitted under."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, X: Any) -> Any:
        with _peer():
            return self.model.predict(X, sample_domain=np.full(len(X), -2))


def _base(way: str) -> Any:
    plain = LogisticRegression(max_iter=1000)
    return plain.set_fit_request(sample_weight=True) if "Reweight" in way else plain


@contextmanager
def _peer() -> Any:
    """Import the peer; the setting of scikit-learn it changes is undone afterwards."""
    import sklearn

    before = sklearn.get_config()["enable_metadata_routing"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import skada

            sklearn.set_config(enable_metadata_routing=True)
            yield skada
    finally:
        sklearn.set_config(enable_metadata_routing=before)
