"""Transfer joint matching: transfer components that use few source rows, those like the target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.align._aligner import Array, Labels
from ecotone.align._components import leading, problem, scaled
from ecotone.align._kernels import rbf_times
from ecotone.align._kinds import Projector
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.domains import Domains

LEAST = 1e-6  # of the mean: a source row below it counts as dropped


@method(
    name="tjm",
    paper="long2014transfer",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class TJM(Projector):
    r"""Match features and weigh source rows at once: a row-sparse form of `TCA` [1]_.

    .. math:: \min_W \mathrm{tr}\,W^\top K L K W + \mu\Bigl(\sum_{i \in \text{sources}} \|w_i\|
              + \sum_{i \in \text{targets}} \|w_i\|^2\Bigr) \quad \text{s.t.} \quad
              W^\top K H K W = I

    K, L, H as in `TCA`. Solved by repeating TCA with :math:`\mu I` replaced by
    :math:`\mu\,\mathrm{diag}(G)`, :math:`G_i = 1 / (2\|w_i\|)` in source rows and 1 in target rows.
    Norms are measured so that their mean over source rows is 1/2: the paper's G depends on the unit
    of W, and with its constraint punishes source rows hundreds of times as hard as target rows.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the source's components; LogisticRegression(max_iter=1000) by default.
    n_components : int, default 20
        Number of components; fewer where their values vanish.
    mu : float, default 1.0
        :math:`\mu`.
    gamma : float, optional
        Of the kernel; 1 / median squared distance of the rows by default.
    landmarks : int, default 500
        W lives on at most so many rows (half of each side, whatever the order of rows).
    rounds : int, default 10
        How often G is renewed.
    whiten : bool, default False
        Give all components the variance 1; see `TCA`.

    Attributes
    ----------
    row_norms_ : ndarray, shape (r,)
        :math:`\|w_i\|` of the landmarks; near 0 for source rows that are left out.
    penalties_ : ndarray, shape (r,)
        G of the last round.

    References
    ----------
    .. [1] Long, Wang, Ding, Sun and Yu, Transfer joint matching for unsupervised domain adaptation,
       CVPR 2014.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (40, 2)), rng.normal(1, 1, (40, 2))])
    >>> domain = np.repeat([1, -2], 40)
    >>> TJM(n_components=3).fit(X, np.arange(80) % 2, domain).features(X).shape
    (80, 3)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_components: int = 20,
        mu: float = 1.0,
        gamma: float | None = None,
        landmarks: int = 500,
        rounds: int = 10,
        whiten: bool = False,
    ) -> None:
        self.estimator = estimator
        self.n_components = n_components
        self.mu = mu
        self.gamma = gamma
        self.landmarks = landmarks
        self.rounds = rounds
        self.whiten = whiten

    def _learn(self, X: Array, y: Labels, sample_domain: Domains) -> None:  # noqa: ARG002
        if not self.mu > 0 or not self.n_components >= 1 or not self.rounds >= 0:
            raise BadInput(
                f"TJM: mu is {self.mu}, n_components is {self.n_components}, rounds is "
                f"{self.rounds}.",
                cure="mu=1.0, n_components=20, rounds=10",
            )
        found = problem(X, sample_domain, self.landmarks, self.gamma, "TJM")
        strength = self.mu * len(found.landmarks) / found.rows
        G = np.ones(len(found.landmarks))
        for left in range(self.rounds, -1, -1):
            values, W = leading(found.B, found.v, strength * G, self.n_components)
            W = scaled(values, W, found.rows, whiten=True)
            norms = np.linalg.norm(W, axis=1)
            if left:
                G = self._penalties(norms, found.of_source)
        self.values_, self.row_norms_, self.penalties_ = values, norms, G
        # `scaled` made all variances 1: give them back in proportion to their values
        self.components_ = W if self.whiten else W * np.sqrt(values / values[0])
        self.landmarks_, self.gamma_ = found.landmarks, found.gamma

    def _penalties(self, norms: Array, of_source: NDArray[np.bool_]) -> Array:
        """Return G, 1 for a source row of mean norm."""
        G, mine = np.ones(len(norms)), norms[of_source]
        mean = float(mine.mean())
        if mean > 0:
            G[of_source] = 1 / np.maximum(mine / mean, LEAST)
        return G

    def _project(self, X: Array, source: NDArray[np.bool_]) -> Array:  # noqa: ARG002
        return rbf_times(X, self.landmarks_, self.gamma_, self.components_)
