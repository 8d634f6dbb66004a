"""Made-up text obeys the facts it states, and its target is the mixture it names."""

from collections import Counter

import numpy as np
import pytest

from ecotone.core.corpus import Corpus
from ecotone.core.errors import BadInput
from ecotone.data import made
from ecotone.data.languages import languages
from ecotone.data.made import TARGET, best_mixture, made_corpus
from ecotone.data.read import read_corpus

MIX = {"elm": 0.6, "fir": 0.4}


def word_ids(tongue, docs):
    number = {w: i for i, w in enumerate(tongue.words)}
    return [np.array([number[w.rstrip(".")] for w in doc.text.split()]) for doc in docs]


def bigrams(tongue, docs):
    n = len(tongue.words)
    pairs = np.concatenate([i[:-1] * n + i[1:] for i in word_ids(tongue, docs)])
    return np.bincount(pairs, minlength=n * n)


def frequencies(tongue, docs):
    counts = np.bincount(np.concatenate(word_ids(tongue, docs)), minlength=len(tongue.words))
    return counts / counts.sum()


def total_variation(p, q):
    return 0.5 * np.abs(p - q).sum()


def test_same_seed_same_text_and_other_seed_other_words():
    one, two = (made_corpus(seed=3, target_mix=MIX, docs=300, target_docs=50) for _ in range(2))
    other = made_corpus(seed=4, target_mix=MIX, docs=300, target_docs=50)
    assert one.fingerprint == two.fingerprint != other.fingerprint
    for name in one.names:
        assert list(one.docs(name)) == list(two.docs(name)) != list(other.docs(name))
    assert list(one.docs("elm")) == list(one.docs("elm"))  # reading twice


def test_a_domain_does_not_depend_on_the_target_or_on_other_sizes():
    one = made_corpus(target_mix=MIX, docs=300, target_docs=50)
    two = made_corpus(docs=600, target_docs=70, sizes=[1, 2, 3, 4, 5])
    few = list(one.docs("cedar"))
    assert [d.text for d in few] == [d.text for d in two.docs("cedar")][: len(few)]
    assert one["cedar"].fingerprint != two["cedar"].fingerprint  # more documents


def test_sizes_roles_and_lengths():
    corpus = made_corpus(docs=1000, target_docs=80, sizes=[5, 2, 1, 1, 1], doc_words=(20, 40))
    assert [(d.name, d.role, d.size) for d in corpus.domains] == [
        ("alder", "source", 499),
        ("birch", "source", 200),
        ("cedar", "source", 101),
        ("elm", "source", 100),
        ("fir", "source", 100),
        (TARGET, "target", 80),
    ]
    for name in corpus.names:
        docs = list(corpus.docs(name))
        assert len(docs) == corpus[name].size
        assert len({d.id for d in docs}) == len(docs)
        lengths = [len(d.text.split()) for d in docs]
        assert (min(lengths), max(lengths)) == pytest.approx((20, 40), abs=1)
        assert all(d.text.endswith(".") for d in docs)


def test_languages_are_what_the_formula_says():
    tongue = languages(seed=5, domains=3)
    assert len(set(tongue.words)) == 60 + 3 * 120
    for d, name in enumerate(tongue.names):
        P, pi = tongue.transitions(name), tongue.unigram(name)
        known = np.zeros(len(tongue.words), bool)
        known[tongue.own[d]] = True
        np.testing.assert_allclose(P.sum(axis=1), known, atol=1e-12)
        assert (P[:, ~known] == 0).all()
        np.testing.assert_allclose(pi @ P, pi, atol=1e-12)
        assert pi.sum() == pytest.approx(1)
        assert pi.min() >= -1e-12
        assert pi[:60].sum() == pytest.approx(0.2)  # core words come with probability 0.2
        # independent of the linear solve: the chain forgets where it started
        row = np.linalg.matrix_power(P, 300)[tongue.own[d][-1]]
        np.testing.assert_allclose(row, pi, atol=1e-9)
        assert 1.5 < tongue.entropy(name) < np.log(180)


def test_bigram_counts_follow_the_transitions():
    tongue = languages(seed=0, domains=2)
    corpus = made_corpus(seed=0, domains=2, docs=6000, target_docs=1)
    counts = bigrams(tongue, corpus.docs("birch")).reshape(len(tongue.words), -1)
    P, pi = tongue.transitions("birch"), tongue.unigram("birch")
    assert (counts[P == 0] == 0).all()
    total = counts.sum()
    frequent = np.argwhere(pi[:, None] * P > 1e-3)
    assert len(frequent) > 100
    for v, w in frequent:
        share = pi[v] * P[v, w]
        assert abs(counts[v, w] / total - share) < 6 * np.sqrt(share / total)
    # the entropy rate is what the true model scores on the text
    at = counts > 0
    score = -(counts[at] * np.log(P[at])).sum() / total
    assert score == pytest.approx(tongue.entropy("birch"), abs=0.01)


def test_words_of_a_document_start_stationary():
    tongue = languages(seed=0, domains=1)
    corpus = made_corpus(seed=0, domains=1, docs=20_000, target_docs=1, doc_words=(1, 1))
    assert (
        total_variation(frequencies(tongue, corpus.docs("alder")), tongue.unigram("alder")) < 0.05
    )


def test_the_target_is_the_mixture_it_names():
    tongue = languages(seed=0)
    corpus = made_corpus(seed=0, target_mix=MIX, docs=4000, target_docs=1000)
    documents = list(corpus.docs(TARGET))
    assert Counter(d.meta["language"] for d in documents) == {"elm": 600, "fir": 400}
    got = frequencies(tongue, documents)
    sources = {n: frequencies(tongue, corpus.docs(n)) for n in tongue.names}
    best = 0.6 * sources["elm"] + 0.4 * sources["fir"]
    natural = sum(corpus[n].size / 4000 * sources[n] for n in tongue.names)
    assert total_variation(got, best) < 0.03
    assert total_variation(got, natural) > 0.4
    np.testing.assert_allclose(
        best, 0.6 * tongue.unigram("elm") + 0.4 * tongue.unigram("fir"), atol=5e-3
    )


def test_the_best_bigram_model_is_trained_on_the_best_mixture():
    """A bigram model with add-one counts, the same number of words from every mixture."""
    tongue = languages(seed=1)
    n = len(tongue.words)
    corpus = made_corpus(seed=1, target_mix=MIX, docs=6_000, target_docs=400)
    counts = {}
    for name in tongue.names:
        table = bigrams(tongue, corpus.docs(name))
        counts[name] = table / table.sum()
    target = bigrams(tongue, corpus.docs(TARGET)).reshape(n, n)

    def loss(shares, words=100_000):
        table = sum(shares[k] * words * counts[k] for k in shares).reshape(n, n) + 0.1
        return -(target * np.log(table / table.sum(axis=1, keepdims=True))).sum() / target.sum()

    best = loss(MIX)
    natural = loss({k: corpus[k].size / 6_000 for k in tongue.names})
    assert best < natural - 0.2
    for other in ({"elm": 1.0}, {"fir": 1.0}, dict.fromkeys(tongue.names, 0.2),
                  {"elm": 0.9, "fir": 0.1}, {"elm": 0.1, "fir": 0.9},
                  {"elm": 0.4, "fir": 0.3, "alder": 0.3}):  # fmt: skip
        assert best < loss(other) - 0.01


def test_natural_target_keeps_natural_shares():
    corpus = made_corpus(docs=1000, target_docs=1000)
    best = best_mixture(corpus).weights
    assert best == {n: corpus[n].size / 1000 for n in ("alder", "birch", "cedar", "elm", "fir")}
    got = Counter(d.meta["language"] for d in corpus.docs(TARGET))
    assert got == {n: corpus[n].size for n in best}


def test_best_mixture_is_told_and_survives_saving(tmp_path):
    corpus = made_corpus(seed=2, target_mix=MIX, docs=100, target_docs=10, sizes=[1, 1, 1, 1, 2])
    corpus.save(tmp_path / "corpus.json")
    again = Corpus.load(tmp_path / "corpus.json")
    assert best_mixture(again).weights == {**dict.fromkeys(again.names[:3], 0.0), **MIX}
    assert best_mixture(again).made_by == "known"
    assert [d.text for d in again.docs(TARGET)] == [d.text for d in corpus.docs(TARGET)]


def test_write_gives_a_folder_that_reads_the_same(tmp_path):
    corpus = made_corpus(seed=2, target_mix=MIX, docs=100, target_docs=10)
    folder = made.write(corpus, tmp_path / "made")
    read = read_corpus(folder, target=TARGET)
    assert read.names == corpus.names
    for name in corpus.names:
        assert [(d.text, d.meta) for d in read.docs(name)] == [
            (d.text, d.meta) for d in corpus.docs(name)
        ]
    with pytest.raises(BadInput, match="not made by made_corpus"):
        best_mixture(read)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"domains": 0}, "domains = 0"),
        ({"domains": 11}, "domains = 11"),
        ({"target_mix": {"willow": 1.0}}, "target_mix names 'willow'"),
        ({"target_mix": {"elm": 0.5}}, "sum to 0.5"),
        ({"sizes": [1, 2]}, "sizes"),
        ({"sizes": [1, 1, 1, 1, 0]}, "sizes"),
        ({"docs": 3}, "3 documents"),
        ({"target_docs": 0}, "target_docs = 0"),
        ({"doc_words": (9, 3)}, "doc_words"),
    ],
)
def test_wrong_parameters(wrong, says):
    with pytest.raises(BadInput, match=says) as caught:
        made_corpus(**wrong)
    assert caught.value.cure
