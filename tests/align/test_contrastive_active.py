from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import rotate
from scipy.optimize import check_grad
from scipy.special import entr, softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from ecotone.align import LearnFromLearnt, SourceOnly
from ecotone.align._heads import InformedLoss, linear_head, taught_head
from ecotone.align._pseudo import information
from ecotone.align.contrastive_active import scores
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def probabilities(rng, rows, classes=4):
    return rng.dirichlet(np.ones(classes), rows)


def turned(angle, seed):
    """Return digits, and other digits turned by an angle: source rows, target rows."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    X, y = X[order] / 16, y[order]
    images = X[900:].reshape(-1, 8, 8)
    X[900:] = rotate(images, angle, axes=(1, 2), reshape=False, order=1).reshape(-1, 64)
    return X[:900], y[:900], X[900:], y[900:]


def random_rows(picker, left, rows, rng):
    return rng.permutation(left)[: len(rows)]


def entropy_rows(picker, left, rows, rng):
    doubt = entr(picker.predict_proba(picker.pool_[left])).sum(axis=1)
    return left[np.argsort(-doubt, kind="stable")[: len(rows)]]


def accuracy(task, seed, other=None, **params):
    """Return the accuracy on rows nobody labelled, after three rounds of one per cent."""
    X, y, rows, truth = task
    picker = LearnFromLearnt(**{"rounds": 3, "budget": 0.01} | params).fit(X, y)
    rng = np.random.default_rng(seed)
    while len(chosen := picker.ask(rows)):
        if other is not None:
            chosen = other(picker, np.flatnonzero(picker.told_ < 0), chosen, rng)
        picker.tell(chosen, truth[chosen])
    left = picker.told_ < 0
    return picker.score(rows[left], truth[left])


def test_without_contrast_and_hardness_it_is_margin_sampling():
    rng = np.random.default_rng(0)
    p, before = probabilities(rng, 300), probabilities(rng, 300)
    two = np.sort(p, axis=1)[:, -2:]
    plain = scores(p, before, contrast=0, hardness=0, easiest=100)
    assert_array_equal(plain, two[:, 1] - two[:, 0])
    made = made_shift("affine", n=100)
    picker = LearnFromLearnt(rounds=3, budget=5, contrast=0, hardness=0)
    picker.fit(made.X, made.y, made.sample_domain)
    truth = made.target[1]
    while len(rows := picker.ask()):
        p = picker.predict_proba(picker.pool_)
        margin = np.diff(np.sort(p, axis=1)[:, -2:], axis=1)[:, 0]
        margin[picker.told_ >= 0] = np.inf
        assert_array_equal(rows, np.argsort(margin, kind="stable")[:5])
        picker.tell(rows, truth[rows])


def test_scores_by_hand():
    p = np.array([[0.5, 0.3, 0.2], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.9, 0.1, 0.0]])
    before = np.array([[0.3, 0.5, 0.2], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.9, 0.1, 0.0]])
    found = scores(p, before, contrast=0.5, hardness=0.1, easiest=3)
    # u of row 0: .6, .2, .2; the three easiest rows are 1, 2, 3: classes 0, 1, 0
    want = np.array([0.4, 0.5, 0.7, 0.8]) / 0.8 + 0.1 * np.array([1, 1, 0.5, 1])
    assert_allclose(found, want, atol=1e-12)


def test_the_last_round_stays_with_its_rows_when_others_leave_the_pool():
    """A second implementation that does delete the rows it has asked for."""
    made = made_shift("affine", n=120, seed=3)
    truth = made.target[1]
    picker = LearnFromLearnt(rounds=4, budget=6, contrast=2.0, easiest=20)
    picker.fit(made.X, made.y, made.sample_domain)
    places, before = np.arange(120), None
    while len(rows := picker.ask()):
        p = picker.predict_proba(picker.pool_[places])
        u = p if before is None else p + 2.0 * (p - before)
        first = np.sort(u, axis=1)
        margin = first[:, -1] - first[:, -2]
        easy = np.argsort(-margin)[:20]
        counts = np.bincount(p[easy].argmax(axis=1), minlength=3)
        score = margin / margin.max() + 0.1 * counts[p.argmax(axis=1)] / counts.max()
        order = np.argsort(score, kind="stable")[:6]
        assert_array_equal(rows, places[order])
        places, before = np.delete(places, order), np.delete(p, order, axis=0)
        picker.tell(rows, truth[rows])
    assert len(places) == 120 - 24


def test_the_loss_is_what_it_says_and_its_gradient_is_exact():
    rng = np.random.default_rng(0)
    told, untold, W0 = rng.normal(size=(6, 3)), rng.normal(size=(40, 3)), rng.normal(size=(4, 4))
    labels = np.array([0, 1, 2, 3, 1, 0])
    loss, w = InformedLoss(told, labels, untold, W0, 0.9, 0.2), rng.normal(size=16)

    def p(rows):
        return softmax(np.column_stack([rows, np.ones(len(rows))]) @ w.reshape(4, 4).T, axis=1)

    want = -np.log(p(told)[np.arange(6), labels]).mean() + 0.9 * information(p(untold))
    want += 0.1 * ((w.reshape(4, 4) - W0) ** 2).sum()
    assert_allclose(loss(w)[0], want, rtol=1e-12)
    assert check_grad(lambda v: loss(v)[0], lambda v: loss(v)[1], w) < 1e-6


def test_a_linear_source_is_the_head_it_starts_from():
    made = made_shift("none", n=150)
    mean, spread = made.X.mean(axis=0), made.X.std(axis=0)
    for classes in (2, 3):
        at = made.truth < classes
        model = LogisticRegression(max_iter=1000).fit(made.X[at], made.truth[at])
        W = linear_head(model, mean, spread)
        Z = np.column_stack([(made.X - mean) / spread, np.ones(len(made.X))])
        p = model.predict_proba(made.X)
        assert_allclose(softmax(Z @ W.T, axis=1), p, atol=1e-12)
        taught = softmax(Z @ taught_head(Z[:, :-1], p).T, axis=1)
        assert (taught.argmax(axis=1) == p.argmax(axis=1)).mean() > 0.97
    assert linear_head(KNeighborsClassifier().fit(made.X, made.truth), mean, spread) is None


def test_before_a_label_it_is_its_source_model_and_blind():
    made = made_shift("affine", n=100)
    plain = SourceOnly().fit(made.X, made.y, made.sample_domain)
    for y in (made.y, made.truth):
        fitted = LearnFromLearnt().fit(made.X, y, made.sample_domain)
        assert_array_equal(fitted.predict_proba(made.X), plain.predict_proba(made.X))
        assert (fitted.told_ == -1).all()


def test_the_order_of_rows_has_no_say():
    made = made_shift("affine", n=100)
    at = made.sample_domain > 0
    rows, truth = made.target
    order = np.random.default_rng(0).permutation(100)
    one, two = (LearnFromLearnt(rounds=2, budget=4).fit(made.X[at], made.y[at]) for _ in range(2))
    while len(a := one.ask(rows)):
        b = two.ask(rows[order])
        assert_array_equal(rows[a], rows[order][b])
        one.tell(a, truth[a])
        two.tell(b, truth[order][b])
    assert_allclose(one.predict_proba(rows), two.predict_proba(rows), atol=1e-3)
    alone = np.vstack([one.predict_proba(rows[i : i + 1]) for i in range(20)])
    assert_allclose(alone, one.predict_proba(rows[:20]), atol=1e-12)


def test_better_than_random_and_entropy_on_turned_digits():
    found = []
    for seed in range(20):
        task = turned(25, seed)
        found.append([accuracy(task, seed, how) for how in (None, random_rows, entropy_rows)])
    ours, random, entropy = np.mean(found, axis=0)
    assert ours >= random + 0.03
    assert ours >= entropy - 0.01


def test_with_all_rows_told_no_choice_is_better():
    made = made_shift("affine", n=100)
    task = (made.X[made.sample_domain > 0], made.y[made.sample_domain > 0], *made.target)
    pickers = [LearnFromLearnt(rounds=1, budget=1.0).fit(*task[:2]) for _ in range(2)]
    for picker, shuffle in zip(pickers, (False, True), strict=True):
        rows = picker.ask(task[2])
        assert len(rows) == 100
        rows = np.random.default_rng(0).permutation(rows) if shuffle else rows
        picker.tell(rows, task[3][rows])
    new = made_shift("affine", n=50, seed=9).target[0]
    assert_allclose(pickers[0].predict_proba(new), pickers[1].predict_proba(new), atol=1e-9)


def imbalanced(seed):
    X, y, rows, truth = turned(0, seed)
    kept = (truth < 2) | (np.random.default_rng(seed).random(len(truth)) < 0.1)
    return X, y, rows[kept], truth[kept]


def test_hurts_where_nothing_shifted_and_most_rows_are_of_two_classes():
    for make, harm in ((lambda s: turned(0, s), 0.003), (imbalanced, 0.1)):
        lost = []
        for seed in range(3):
            task = make(seed)
            plain = LogisticRegression(max_iter=1000).fit(*task[:2]).score(*task[2:])
            lost.append(plain - accuracy(task, seed))
        assert np.mean(lost) >= harm


def test_no_better_than_random_where_the_source_model_knows_little():
    gain = []
    for seed in range(3):
        task = turned(40, seed)
        gain.append(accuracy(task, seed) - accuracy(task, seed, random_rows))
    assert np.mean(gain) <= 0


def test_a_fitted_model_with_words_is_taken_as_it_is():
    made = made_shift("affine", n=150)
    at = made.sample_domain > 0
    names = np.array(["cat", "dog", "eel"])
    rows, truth = made.target
    for base in (LogisticRegression(max_iter=1000), KNeighborsClassifier(), LinearSVC()):
        model = base.fit(made.X[at], names[made.truth[at]])
        one = LearnFromLearnt(model, rounds=2, budget=6)
        two = LearnFromLearnt(base, rounds=2, budget=6).fit(made.X[at], made.truth[at])
        first = one.ask(rows)
        assert_array_equal(one.predict(rows), model.predict(rows))
        assert_array_equal(one.ask(), first)  # not told yet: the same rows
        while len(found := one.ask()):
            assert_array_equal(two.ask(rows), found)
            one.tell(found, names[truth[found]])
            two.tell(found, truth[found])
        assert len(np.unique(np.flatnonzero(one.told_ >= 0))) == 12
        assert_array_equal(one.predict(rows), names[two.predict(rows)])
        assert (one.predict(rows) != model.predict(rows)).any()
    two = LearnFromLearnt(rounds=1, budget=4).fit(made.X[at], made.truth[at] > 0)
    two.tell(found := two.ask(rows), truth[found] > 0)
    assert_array_equal(two.predict(rows), two.decision_function(rows) > 0)


def test_bad_input_has_a_cure():
    made = made_shift("affine", n=60)
    rows = made.target[0]
    with pytest.raises(BadInput, match="no source model yet"):
        LearnFromLearnt().ask(rows)
    with pytest.raises(BadInput, match="Ridge is a regressor"):
        LearnFromLearnt(Ridge()).fit(made.X, made.truth * 1.0, made.sample_domain)
    picker = LearnFromLearnt().fit(made.X[made.sample_domain > 0], made.y[made.sample_domain > 0])
    for early in (lambda: picker.ask(), lambda: picker.tell([0], [0])):
        with pytest.raises(BadInput, match=r"no target rows|comes after ask"):
            early()
    picker.ask(rows)
    with pytest.raises(BadInput, match="other target rows"):
        picker.ask(rows + 1)
    with pytest.raises(BadInput, match="has no class 7") as error:
        picker.tell([0], [7])
    assert "GlobalLocalClustering" in error.value.cure
    for wrong in (([60], [0]), ([0, 1], [0]), ([], []), ([0.5], [0])):
        with pytest.raises(BadInput, match="places go from 0 to 59"):
            picker.tell(*wrong)
    for wrong in ({"budget": 0}, {"budget": 1.5}, {"rounds": 0}, {"contrast": -1.0}):
        with pytest.raises(BadInput, match="LearnFromLearnt: rounds"):
            LearnFromLearnt(**wrong).fit(made.X, made.y, made.sample_domain)
