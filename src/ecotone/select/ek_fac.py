"""EK-FAC influence: how much the target's loss would fall if an example weighed more."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import derive
from ecotone.select._layers import linear_layers, outputs_of, pulled, torch_for, width
from ecotone.select._own_labels import expected, sampled, summed
from ecotone.select._text import check_fitted

Array = NDArray[np.float64]
Tensor = Any
CHOICES = {
    "loss": ("cross_entropy", "squared"), "fisher": ("sampled", "exact"),
    "others": ("refuse", "skip"), "precision": ("float64", "model"),
}  # fmt: skip


@method(
    name="ek_fac",
    paper="grosse2023studying",
    needs={"source_rows", "source_labels", "target_rows", "target_labels", "gradients"},
    handles=set(),
    extra="lm",
)
class EKFAC:
    r"""Influence of examples on the target's loss, by a curvature in Kronecker eigenbases [1]_.

    .. math:: s(x) = \bar g_T^\top (G + \lambda I)^{-1} g_x, \qquad
              (G + \lambda I)^{-1} V \approx
              Q_S \frac{Q_S^\top V Q_A}{\Lambda + \lambda} Q_A^\top

    layer by layer, where :math:`g_x = \sum_t s_t a_t^\top` is the gradient of an example's loss by
    the weights of a layer with inputs a and output gradients s; Q are the eigenvectors of
    :math:`E[a a^\top]` and :math:`E[s s^\top]`, and
    :math:`\Lambda_{ij} = E[(Q_S^\top g\,Q_A)_{ij}^2]`, both over labels drawn from the model
    itself: G is the Gauss-Newton matrix of the mean loss.
    Positive: more weight on x lowers the target's loss. Leaving x out of n examples raises it by
    about s(x) / n.

    Parameters
    ----------
    model : torch.nn.Module, optional
        Trained on the pool. It is copied, and not changed. An output may have a field ``logits``.
    loss : {"cross_entropy", "squared"}, default "cross_entropy"
        Summed over positions of an example (labels of -100 do not count); ``squared`` is half the
        squared error.
    fisher : {"sampled", "exact"}, default "sampled"
        One label drawn for each position, or the expectation over all classes, which costs a
        backward pass for each and needs an output (n, classes).
    damping : float, default 0.1
        :math:`\lambda`, as a share of the mean of :math:`\Lambda` in a layer.
    ridge : float, default 0.0
        Added to :math:`\lambda`: the weight decay of training on the mean loss.
    others : {"refuse", "skip"}, default "refuse"
        What to do about trainable parameters outside linear layers (norms, embeddings, weights
        that are shared).
    precision : {"float64", "model"}, default "float64"
        Of the copy that is run.
    batch : int, default 64
        Examples at a time.
    seed : int, default 0
        For the labels drawn.

    Attributes
    ----------
    layers_, skipped_ : list of str
        Layers used, and parameters left out.
    directions_ : dict of str to tensor, shape (out, in)
        :math:`(G + \lambda I)^{-1} \bar g_T`, the bias as last column.

    References
    ----------
    .. [1] Grosse et al., Studying large language model generalization with influence functions,
       arXiv 2308.03296, 2023.

    Examples
    --------
    >>> import torch
    >>> X, y = np.array([[-1.0], [1.0], [1.0]]), np.array([0, 1, 0])
    >>> scores = EKFAC(torch.nn.Linear(1, 2)).fit((X[:2], y[:2]), (X, y)).score((X, y))
    >>> int(scores.argmin())
    2
    """

    def __init__(
        self, model: Any = None, *, loss: str = "cross_entropy", fisher: str = "sampled",
        damping: float = 0.1, ridge: float = 0.0, others: str = "refuse",
        precision: str = "float64", batch: int = 64, seed: int = 0,
    ) -> None:  # fmt: skip
        self.model = model
        self.loss = loss
        self.fisher = fisher
        self.damping = damping
        self.ridge = ridge
        self.others = others
        self.precision = precision
        self.batch = batch
        self.seed = seed

    def fit(self, target: Any, pool: Any) -> Self:
        """Learn the curvature on the pool, and apply its inverse to the target's mean gradient.

        Parameters
        ----------
        target, pool : pair of array-like or tensors, each of length m or n
            Inputs of the model, and labels: classes (n,) or (n, positions), or numbers as the
            output's for the squared loss.
        """
        model = self._check()
        self._layers, self.skipped_ = linear_layers(model, self.others)
        self.layers_, self._net = list(self._layers), model
        T, P = self._pair(target, "target"), self._pair(pool, "pool")
        bases = self._bases(P)
        eigen = self._eigenvalues(P, bases)
        mean = [0.0] * len(bases)
        for a, s in self._gradients(T):
            for k, (x, g) in enumerate(zip(a, s, strict=True)):
                mean[k] = mean[k] + (g.flatten(0, 1).T @ x.flatten(0, 1)).double() / len(T[0])
        self.directions_ = {}
        for name, V, (QA, QS), L in zip(self._layers, mean, bases, eigen, strict=True):
            damped = L + self.damping * L.mean() + self.ridge
            self.directions_[name] = QS @ ((QS.T @ V @ QA) / damped) @ QA.T
        return self

    def score(self, docs: Any) -> Array:
        """Return the influence of every example, in loss, (n,); `docs` is a pair like the pool."""
        check_fitted(self, "directions_")
        torch = torch_for("EKFAC")
        parts = [np.zeros(0)]
        for a, s in self._gradients(self._pair(docs, "docs", least=0)):
            total = torch.zeros(len(a[0]), dtype=torch.float64)
            for V, x, g in zip(self.directions_.values(), a, s, strict=True):
                total += ((g.double() @ V) * x).sum(dim=(1, 2))
            parts.append(total.numpy())
        return np.concatenate(parts)

    def bytes_needed(self) -> int:
        """Return the memory that `fit` takes besides the model and its activations, in bytes.

        For a layer (o, i): bases and covariances 2 (o^2 + i^2), and o i for eigenvalues, target
        gradient, direction and the gradients of a batch, in float64.
        """
        layers, _ = linear_layers(self._module(), self.others)
        sizes = [width(layer) for layer in layers.values()]
        kept = sum(2 * (o * o + i * i) + 3 * o * i for o, i in sizes)
        return 8 * (kept + self.batch * max(2 * o * i for o, i in sizes))

    def _bases(self, P: tuple[Tensor, Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Return the eigenvectors of the covariances of inputs and output gradients."""
        torch = torch_for("EKFAC")
        sizes = [width(layer) for layer in self._layers.values()]
        A = [torch.zeros(i, i, dtype=torch.float64) for _, i in sizes]
        S = [torch.zeros(o, o, dtype=torch.float64) for o, _ in sizes]
        for a, every in self._model_gradients(P, "bases"):
            for k, x in enumerate(a):
                rows = x.flatten(0, 1).double()
                A[k] += rows.T @ rows
            for s in every:
                for k, g in enumerate(s):
                    rows = g.flatten(0, 1).double()
                    S[k] += rows.T @ rows
        return [
            (torch.linalg.eigh(a)[1], torch.linalg.eigh(s)[1]) for a, s in zip(A, S, strict=True)
        ]

    def _eigenvalues(
        self, P: tuple[Tensor, Tensor], bases: list[tuple[Tensor, Tensor]]
    ) -> list[Tensor]:
        """Return the second moments of examples' gradients along the bases, (out, in) each."""
        total = [0.0] * len(bases)
        for a, every in self._model_gradients(P, "eigenvalues"):
            inputs = [x.double() @ QA for x, (QA, _) in zip(a, bases, strict=True)]
            for s in every:
                for k, g in enumerate(s):
                    total[k] = total[k] + _squares(g.double() @ bases[k][1], inputs[k]) / len(P[0])
        return total

    def _gradients(
        self, data: tuple[Tensor, Tensor]
    ) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        """Give inputs and output gradients of all layers under the data's labels, by batches."""
        for start in range(0, len(data[0]), self.batch):
            x, y = (part[start : start + self.batch] for part in data)
            z, a, outputs = outputs_of(self._net, self._layers, x)
            yield a, pulled(self._layers, summed(self.loss, z, y), outputs)

    def _model_gradients(
        self, data: tuple[Tensor, Tensor], what: str
    ) -> Iterator[tuple[list[Tensor], Iterator[list[Tensor]]]]:
        """Give the same under labels of the model's own, one set of gradients for each loss."""
        rng = torch_for("EKFAC").Generator().manual_seed(derive(self.seed, "ek_fac", what))
        for start in range(0, len(data[0]), self.batch):
            x, y = (part[start : start + self.batch] for part in data)
            z, a, outputs = outputs_of(self._net, self._layers, x)
            exact = self.fisher == "exact"
            losses = expected(self.loss, z) if exact else sampled(self.loss, z, y, rng)
            yield a, (pulled(self._layers, loss, outputs) for loss in losses)

    def _pair(self, data: Any, what: str, least: int = 1) -> tuple[Tensor, Tensor]:
        torch = torch_for("EKFAC")
        try:
            x, y = (torch.as_tensor(part) for part in data)
        except (TypeError, ValueError):
            raise BadInput(f"EKFAC: {what} is no pair.", cure=f"{what}=(inputs, labels)") from None
        if len(x) != len(y) or len(x) < least:
            raise BadInput(
                f"EKFAC: {what} has {len(x)} inputs and {len(y)} labels.",
                cure="pass one label, or one row of labels, for each input, and at least one",
            )
        if x.is_floating_point():
            x = x.to(next(self._net.parameters()).dtype)
        return x, y.long() if self.loss == "cross_entropy" else y

    def _module(self) -> Any:
        if not isinstance(self.model, torch_for("EKFAC").nn.Module):
            raise BadInput(f"EKFAC: model is {type(self.model).__name__}.",
                           cure="EKFAC(torch.nn.Linear(4, 2))")  # fmt: skip
        return self.model

    def _check(self) -> Any:
        for name, words in CHOICES.items():
            if getattr(self, name) not in words:
                raise BadInput(f"EKFAC: {name} is {getattr(self, name)!r}.",
                               cure=f'{name}="{words[0]}"')  # fmt: skip
        if not (self.damping >= 0 and self.ridge >= 0 and self.damping + self.ridge > 0):
            raise BadInput("EKFAC: damping and ridge must be at least 0, one of them above.",
                           cure="damping=0.1")  # fmt: skip
        if not self.batch >= 1:
            raise BadInput(f"EKFAC: batch is {self.batch}.", cure="batch=64")
        model = copy.deepcopy(self._module()).eval()
        return model.double() if self.precision == "float64" else model


def _squares(g: Tensor, x: Tensor) -> Tensor:
    """Return the squared entries of the sums over positions of g x^T, added over examples."""
    if g.shape[1] == 1:  # a product of two numbers squared: no matrix for each example
        return (g[:, 0] ** 2).T @ (x[:, 0] ** 2)
    return (torch_for("EKFAC").bmm(g.transpose(1, 2), x) ** 2).sum(dim=0)
