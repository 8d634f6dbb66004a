"""Boosted trees: the regressor of RegMix, with inner early stopping that sees no test row."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput, MissingExtra
from ecotone.core.method import method
from ecotone.core.seeds import derive, stream
from ecotone.mix._law import Law, canonical_order

Array = NDArray[np.float64]

ROUNDS, RATE = 1000, 0.01


@method(
    name="boosted_trees", paper="liu2025regmix", needs={"proxies"}, handles=set(), extra="trees"
)
class BoostedTrees(Law):
    r"""Gradient-boosted regression trees on the raw shares, one ensemble a target.

    .. math:: L_i(r) = \bar L_i + \eta \sum_m h_{im}(r)

    with small trees :math:`h_{im}`, each fitted to what the ones before leave over (squared error).
    Trees know no direction beyond the runs: predictions are piecewise constant and never leave the
    range of the losses seen.

    Parameters
    ----------
    recipe : {"long", "early_stop"}
        ``"long"``: 1000 rounds at rate 0.01. ``"early_stop"``: as many rounds as a fifth of the
        rows, set aside, asks for; then fitted again on all rows.
    patience : int
        Rounds without improvement before ``"early_stop"`` stops.
    random_state : int
        Decides which rows are set aside.

    Attributes
    ----------
    trees_ : list of lightgbm.LGBMRegressor
        One a target.

    Notes
    -----
    The least number of rows in a leaf is LightGBM's default 20 from 260 rows on and a thirteenth of
    the rows, at least 3, below: with the default, 20 rows would give a constant.

    References
    ----------
    .. [1] Liu et al., RegMix, ICLR 2025.
    """

    least_rows = 8  # a leaf on each side of a split, and rows to set aside

    def __init__(
        self,
        *,
        recipe: Literal["long", "early_stop"] = "long",
        patience: int = 30,
        random_state: int = 0,
    ) -> None:
        self.recipe = recipe
        self.patience = patience
        self.random_state = random_state

    def _fit(self, W: Array, L: Array) -> None:
        if self.recipe not in ("long", "early_stop"):
            raise BadInput(
                f"BoostedTrees: no recipe is called {self.recipe!r}.",
                cure='recipe="long" or "early_stop"',
            )
        self.order_ = canonical_order(W)
        W = W[:, self.order_]
        self.trees_ = [self._fit_one(W, y, i) for i, y in enumerate(L.T)]

    def _fit_one(self, W: Array, y: Array, target: int) -> Any:
        rounds = ROUNDS if self.recipe == "long" else self._best_rounds(W, y, target)
        seed = derive(int(self.random_state), "trees", target)
        return make_regressor(len(W), rounds=rounds, rate=RATE, seed=seed).fit(W, y)

    def _best_rounds(self, W: Array, y: Array, target: int) -> int:
        """Return the number of rounds that a fifth of the rows asks for."""
        lightgbm = _lightgbm()
        order = stream(int(self.random_state), "set aside", target).permutation(len(W))
        aside, rest = np.split(order, [max(2, len(W) // 5)])
        data = lightgbm.Dataset(W[rest], y[rest], params={"verbose": -1})
        booster = lightgbm.train(
            _knobs(len(rest)) | {"objective": "regression", "learning_rate": RATE},
            data,
            num_boost_round=ROUNDS,
            valid_sets=[data.create_valid(W[aside], y[aside])],
            callbacks=[lightgbm.early_stopping(self.patience, verbose=False)],
        )
        return max(1, int(booster.best_iteration))

    def _predict(self, W: Array) -> Array:
        W = W[:, self.order_]
        return np.column_stack([trees.predict(W) for trees in self.trees_])


def make_regressor(
    n: int, *, rounds: int = ROUNDS, rate: float | None = None, seed: int = 0
) -> Any:
    """Return a LightGBM regressor for `n` rows: one thread, deterministic, quiet.

    Parameters
    ----------
    n : int
        Rows it will be fitted on; decides the least number of rows in a leaf.
    rounds : int
        Trees.
    rate : float, optional
        Learning rate; 10 / `rounds` by default, so that rounds times rate stays the same.
    seed : int
        Seed, reduced to 31 bits.
    """
    return _lightgbm().LGBMRegressor(
        n_estimators=rounds,
        learning_rate=10 / rounds if rate is None else rate,
        random_state=seed % 2**31,
        **_knobs(n),
    )


def _knobs(n: int) -> dict[str, Any]:
    """Return what differs from LightGBM's defaults, for a fit on n rows."""
    return {
        "min_child_samples": int(np.clip(round(n / 13), 3, 20)),
        # with few rows, bins of three rows would hide where the losses change
        "min_data_in_bin": 3 if n >= 260 else 1,
        "n_jobs": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ModuleNotFoundError:
        raise MissingExtra.of("trees", "lightgbm", "BoostedTrees") from None
    return lightgbm
