"""Against dense curvature built from Jacobians, against retraining, and flipped labels."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from ecotone.core.errors import BadInput
from ecotone.select.ek_fac import EKFAC

torch = pytest.importorskip("torch")
nn = torch.nn


def seeded(build, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build().double()


def rows(n, d=4, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.integers(classes, size=n)


def small(bend=nn.Tanh):
    return nn.Sequential(nn.Linear(4, 3), bend(), nn.Linear(3, 3))


def weights(layer):
    """Weight and bias of a layer as the matrix that the method sees."""
    return torch.cat([layer.weight, layer.bias[:, None]], dim=1)


def dense(model, data, ridge, target, loss="cross_entropy"):
    """Scores from the Gauss-Newton matrix of each layer, built by Jacobians, and a dense solve."""
    X, y = torch.as_tensor(data[0]), torch.as_tensor(data[1])
    total = np.zeros(len(X))
    for name, layer in [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear)]:
        G, gradients = 0.0, []
        W = weights(layer).detach()

        def run(M, x, name=name):
            parts = {**dict(model.named_parameters())}
            dot = f"{name}." if name else ""
            parts[dot + "weight"], parts[dot + "bias"] = M[:, :-1], M[:, -1]
            return torch.func.functional_call(model, parts, (x[None],))[0]

        def gradient(x, label, W=W, run=run):
            M = W.clone().requires_grad_(True)
            z = run(M, x)
            if loss == "squared":
                value = ((z - label) ** 2).sum() / 2
            else:
                value = nn.functional.cross_entropy(z[None], label[None])
            return torch.autograd.grad(value, M)[0].flatten()

        for x, label in zip(X, y, strict=True):
            J = torch.autograd.functional.jacobian(lambda M, x=x, run=run: run(M, x), W).flatten(1)
            p = run(W, x).softmax(-1)
            H = torch.eye(len(p)).double() if loss == "squared" else torch.diag(p) - p[:, None] * p
            G = G + J.T @ H.detach() @ J / len(X)
            gradients.append(gradient(x, label))
        pull = torch.stack([gradient(*t) for t in zip(*map(torch.as_tensor, target), strict=True)])
        solved = torch.linalg.solve(G + ridge * torch.eye(len(G)), pull.mean(dim=0))
        total += (torch.stack(gradients) @ solved).detach().numpy()
    return total


def ours(model, pool, target, ridge, loss="cross_entropy"):
    fitted = EKFAC(model, fisher="exact", damping=0.0, ridge=ridge, loss=loss)
    return fitted.fit(target, pool).score(pool)


@pytest.mark.parametrize("bend", [nn.Tanh, lambda: nn.ReLU(inplace=True)])
def test_equals_a_dense_solve_where_curvature_is_kronecker(bend):
    # one example, any depth: every layer's block is the product of one input and one matrix
    model, pool, target = seeded(lambda: small(bend)), rows(1), rows(5, seed=1)
    assert_allclose(ours(model, pool, target, 1e-2), dense(model, pool, 1e-2, target), rtol=1e-4)


def test_equals_a_dense_solve_of_least_squares():
    # a linear model with squared loss: inputs times the identity, for any number of examples
    rng = np.random.default_rng(0)
    model = seeded(lambda: nn.Linear(4, 3))
    pool = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    target = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
    want = dense(model, pool, 1e-2, target, "squared")
    assert_allclose(ours(model, pool, target, 1e-2, "squared"), want, rtol=1e-4, atol=1e-12)


def test_eigenvalues_are_the_diagonal_of_the_fisher_in_the_basis():
    X, y = rows(12)
    model = seeded(small)
    fitted = EKFAC(model, fisher="exact").fit((X, y), (X, y))
    pair = torch.as_tensor(X), torch.as_tensor(y)
    bases = fitted._bases(pair)
    found = fitted._eigenvalues(pair, bases)
    for place, layer in enumerate((model[0], model[2])):
        QA, QS = bases[place]
        F = 0.0
        for x in pair[0]:
            p = model(x).softmax(-1)
            for c in range(3):
                g = torch.autograd.grad(
                    nn.functional.cross_entropy(model(x)[None], torch.tensor([c])),
                    [layer.weight, layer.bias],
                )
                flat = torch.cat([g[0], g[1][:, None]], dim=1).flatten()
                F = F + p[c].detach() * flat[:, None] * flat / len(X)
        Q = torch.kron(QS, QA)
        assert_allclose(found[place].flatten(), torch.diag(Q.T @ F @ Q), atol=1e-10)


def test_sampled_labels_come_near_the_expectation():
    pool, target = rows(3000), rows(50, seed=1)
    model = seeded(small)
    a, b = (EKFAC(model, fisher=f).fit(target, pool).score(pool) for f in ("exact", "sampled"))
    assert np.corrcoef(a, b)[0, 1] > 0.99


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(7, 4), nn.Linear(4, 7)

    def forward(self, x):
        return self.head(self.embed(x))


def test_gradients_of_sequences_and_images_are_those_of_autograd():
    rng = np.random.default_rng(0)
    conv = seeded(lambda: nn.Sequential(nn.Conv2d(2, 3, 3, 2, 1), nn.Flatten(), nn.Linear(27, 4)))
    words = rng.integers(7, size=(6, 5)), rng.integers(7, size=(6, 5))
    words[1][:, :2] = -100
    images = rng.normal(size=(6, 2, 5, 5)), rng.integers(4, size=6)
    for model, data in ((seeded(Tokens), words), (conv, images)):
        fitted = EKFAC(model, others="skip", batch=4).fit(data, data)
        scores = fitted.score(data)
        for i in range(6):
            z = model(torch.as_tensor(data[0][i : i + 1]))
            y = torch.as_tensor(data[1][i : i + 1]).flatten()
            loss = nn.functional.cross_entropy(z.reshape(len(y), -1), y, reduction="sum")
            want = 0.0
            for name, V in fitted.directions_.items():
                layer = model.get_submodule(name)
                g = torch.autograd.grad(loss, [layer.weight, layer.bias], retain_graph=True)
                want += float((torch.cat([g[0].flatten(1), g[1][:, None]], dim=1) * V).sum())
            assert_allclose(scores[i], want, rtol=1e-9)


def digits(n, seed=0):
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(X))
    return (X[order[:n]] / 16, y[order[:n]]), (X[order[n:]] / 16, y[order[n:]])


def logistic(X, y, strength=1e-2):
    return LogisticRegression(C=1 / (strength * len(X)), tol=1e-8, max_iter=2000).fit(X, y)


def as_net(fitted):
    net = nn.Linear(*fitted.coef_.shape[::-1]).double()
    with torch.no_grad():
        net.weight.copy_(torch.as_tensor(fitted.coef_))
        net.bias.copy_(torch.as_tensor(fitted.intercept_))
    return net


def test_agrees_with_leaving_one_out():
    (X, y), (T, t) = digits(200)
    whole = logistic(X, y)
    fitted = EKFAC(as_net(whole), fisher="exact", damping=0.0, ridge=1e-2)
    scores = fitted.fit((T, t), (X, y)).score((X, y))

    def loss(model):
        return -model.predict_log_proba(T)[np.arange(len(t)), t].mean()

    base, some = loss(whole), range(0, 200, 4)
    # the strength of the ridge belongs to the mean over 200, with or without the one
    truth = [
        loss(logistic(np.delete(X, i, 0), np.delete(y, i), 1e-2 * 200 / 199)) - base for i in some
    ]
    assert spearmanr(scores[list(some)], truth)[0] > 0.9


def test_flipped_labels_have_the_lowest_scores():
    (X, y), (T, t) = digits(500)
    rng = np.random.default_rng(0)
    flipped = rng.choice(500, 50, replace=False)
    wrong = y.copy()
    wrong[flipped] = (y[flipped] + rng.integers(1, 10, size=50)) % 10
    net = as_net(logistic(X, wrong, 1e-3))
    scores = EKFAC(net, ridge=1e-3).fit((T[:200], t[:200]), (X, wrong)).score((X, wrong))
    low = np.argsort(scores)[:50]
    assert np.isin(flipped, low).mean() > 0.6
    # a model without them is better on new rows, one without as many random rows is not
    some = rng.choice(500, 50, replace=False)
    clean, other = (
        logistic(np.delete(X, gone, 0), np.delete(wrong, gone), 1e-3).score(T[200:], t[200:])
        for gone in (low, some)
    )
    assert clean > other + 0.02


def trained(X, y, net=None, l2=1e-3):
    """A net of two layers at a minimum of its penalised loss, from a start or a fixed draw."""
    draw = seeded(lambda: nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10)))
    net = draw if net is None else copy.deepcopy(net)
    X, y = torch.as_tensor(X), torch.as_tensor(y)
    steps = torch.optim.LBFGS(net.parameters(), max_iter=80, line_search_fn="strong_wolfe")

    def closure():
        steps.zero_grad()
        penalty = l2 / 2 * sum((p**2).sum() for p in net.parameters())
        loss = nn.functional.cross_entropy(net(X), y) + penalty
        loss.backward()
        return loss

    steps.step(closure)
    return net


def logits(net, X):
    with torch.no_grad():
        return net(torch.as_tensor(X))


def test_agrees_with_leaving_a_tenth_out_of_a_net_better_than_the_plain_gradient():
    (X, y), (T, t) = digits(200)
    T, t = T[:300], t[:300]
    net, rng = trained(X, y), np.random.default_rng(0)
    groups = [rng.choice(200, 20, replace=False) for _ in range(16)]
    truth = [
        float(
            nn.functional.cross_entropy(
                logits(trained(np.delete(X, gone, 0), np.delete(y, gone), net), T),
                torch.as_tensor(t),
            )
        )
        for gone in groups
    ]

    def agreement(**options):
        scores = EKFAC(net, fisher="exact", **options).fit((T, t), (X, y)).score((X, y))
        return spearmanr([scores[gone].sum() for gone in groups], truth)[0]

    ours = agreement(ridge=1e-3)
    plain = agreement(damping=0.0, ridge=1e9)  # the curvature drowns: a product of gradients
    assert ours > 0.5
    assert ours > plain + 0.05


def turned(X):
    return np.rot90(X.reshape(-1, 8, 8), axes=(1, 2)).reshape(-1, 64).copy()


def test_helps_where_a_quarter_of_the_pool_contradicts_the_target():
    (X, y), (T, t) = digits(400)
    part = np.arange(400) % 4  # upright, turned with shifted labels, and twice turned
    X, T = np.where((part > 0)[:, None], turned(X), X), turned(T)
    y = np.where(part == 1, (y + 1) % 10, y)
    scores = EKFAC(trained(X, y), ridge=1e-3).fit((T[:100], t[:100]), (X, y)).score((X, y))
    assert scores[part == 1].mean() < 0 < scores[part > 1].mean()
    kept = np.argsort(-scores)[:300]
    random = np.random.default_rng(0).choice(400, 300, replace=False)
    best, other = (
        (logits(trained(X[rows], y[rows]), T[100:]).argmax(1).numpy() == t[100:]).mean()
        for rows in (kept, random)
    )
    assert best > other + 0.15


def test_does_not_help_to_keep_the_top_half_of_a_sound_pool():
    # scores say what one example adds to all others, and the top half is one-sided
    (X, y), (T, t) = digits(400)
    X, T = np.where((np.arange(400) % 4 == 0)[:, None], turned(X), X), turned(T)
    scores = EKFAC(trained(X, y), ridge=1e-3).fit((T[:100], t[:100]), (X, y)).score((X, y))
    kept = np.argsort(-scores)[:200]
    random = np.random.default_rng(0).choice(400, 200, replace=False)
    top, other = (
        (logits(trained(X[rows], y[rows]), T[100:]).argmax(1).numpy() == t[100:]).mean()
        for rows in (kept, random)
    )
    assert top < other


def test_no_source_helps_where_the_target_uses_other_inputs():
    rng = np.random.default_rng(0)
    X, T = np.zeros((200, 20)), np.zeros((50, 20))
    X[:, :10], T[:, 10:] = rng.normal(size=(200, 10)), rng.normal(size=(50, 10))
    y, t = rng.integers(3, size=200), rng.integers(3, size=50)
    net = as_net(logistic(X, y))
    far = EKFAC(net, ridge=1e-2).fit((T, t), (X, y)).score((X, y))
    near = EKFAC(net, ridge=1e-2).fit((X[:50], y[:50]), (X, y)).score((X, y))
    # the bias alone is shared
    assert np.abs(far).max() < 0.5 * np.abs(near).max()


def test_model_is_left_as_it_was_and_batches_do_not_matter():
    model, pool, target = seeded(small), rows(30), rows(8, seed=1)
    before = copy.deepcopy(model.state_dict())
    scores = EKFAC(model, fisher="exact", batch=7).fit(target, pool).score(pool)
    assert all((before[k] == v).all() for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    other = EKFAC(model, fisher="exact").fit(target, pool)
    assert_allclose(other.score(pool), scores, atol=1e-9)
    assert_allclose(other.score((pool[0][::-1].copy(), pool[1][::-1].copy()))[::-1], scores)
    assert (
        EKFAC(model).fit(target, pool).score(pool) == EKFAC(model).fit(target, pool).score(pool)
    ).all()
    assert other.score((pool[0][:0], pool[1][:0])).shape == (0,)
    assert other.bytes_needed() == 8 * (2 * (9 + 25 + 9 + 16) + 3 * (15 + 12) + 64 * 30)


def test_errors_carry_a_cure():
    pool = rows(5)
    with pytest.raises(BadInput, match="model is NoneType") as caught:
        EKFAC().fit(pool, pool)
    assert caught.value.cure
    normed = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    with pytest.raises(BadInput, match="2 parameters are in no linear layer"):
        EKFAC(normed).fit(pool, pool)
    assert EKFAC(normed, others="skip").fit(pool, pool).skipped_ == ["1.weight", "1.bias"]
    model = small()
    with pytest.raises(BadInput, match="target has 0 inputs"):
        EKFAC(model).fit((np.zeros((0, 4)), np.zeros(0, int)), pool)
    with pytest.raises(BadInput, match="pool is no pair"):
        EKFAC(model).fit(pool, 3)
    with pytest.raises(BadInput, match="one of them above"):
        EKFAC(model, damping=0.0).fit(pool, pool)
    twice = nn.Linear(4, 4)
    with pytest.raises(BadInput, match="ran 2 times"):
        EKFAC(nn.Sequential(twice, twice)).fit(pool, pool)
    with pytest.raises(BadInput, match="not fitted"):
        EKFAC(model).score(pool)
