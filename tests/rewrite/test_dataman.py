from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.rewrite._rater import (
    Rater,
    pass_on,
    pass_on_labels,
    quadratic_kappa,
    statistics,
    surface_rating,
)  # fmt: skip
from ecotone.rewrite._ratings import (
    CRITERIA,
    DOMAINS,
    Candidate,
    best,
    budgets,
    rating_prompt,
    read_ratings,
)  # fmt: skip
from ecotone.rewrite.dataman import DataMan
from ecotone.rewrite.generators import scripted

SCORES = st.lists(st.sampled_from([None, 1, 2, 3, 4, 5]), min_size=14, max_size=14)


def answer_of(scores, letter="H", order=None):
    lines = [
        f"[{k}]{name.replace('_', ' ').capitalize()}: {s}/5"
        for k, (name, s) in enumerate(zip(CRITERIA, scores, strict=True), 1)
        if s is not None
    ] + ([f"Domain: {letter}"] if letter else [])
    return "\n".join(lines if order is None else [lines[i] for i in order(len(lines))])


# --- the parser


@given(SCORES, st.sampled_from([*DOMAINS, ""]), st.randoms(use_true_random=False))
def test_every_answer_is_read_back_whatever_the_order_of_its_lines(scores, letter, r):
    text = answer_of(scores, letter, lambda n: r.sample(range(n), n))
    found = read_ratings(text)
    assert list(found.scores.values()) == scores
    assert found.domain == DOMAINS.get(letter)
    assert read_ratings(text.replace("/5", "").replace(":", " = ")).scores == found.scores
    assert read_ratings(text.replace("\n", " ")) == found


@pytest.mark.parametrize(
    "said",
    ["7/5", "0/5", "-3/5", "4.5/5", "8/10", "45", "4-5", "4 or 5", "4%", "four", "n/a", "6",
     "3 out of 10", "1/50"],
)  # fmt: skip
def test_what_is_no_rating_is_none_and_never_zero(said):
    found = read_ratings(f"[1]Accuracy: {said}\n[2]Coherence: 4/5")
    assert found.scores["accuracy"] is None
    assert found.scores["coherence"] == 4
    assert not any(s == 0 for s in found.scores.values())


def test_said_twice():
    assert read_ratings("Accuracy: 3/5\nAccuracy: 3").scores["accuracy"] == 3
    assert read_ratings("Accuracy: 3/5\nAccuracy: 4/5").scores["accuracy"] is None
    assert read_ratings("Accuracy: 3/5\nAccuracy: 7/5").scores["accuracy"] is None
    assert read_ratings("Domain: C\nDomain: law").domain == "law"
    assert read_ratings("Domain: C\nDomain: D").domain is None


@pytest.mark.parametrize(
    ("said", "name"),
    [("F", "entertainment"), ("(F) Entertainment", "entertainment"), ("F. fun", "entertainment"),
     ("**L**", "retail/e-commerce"), ("Retail/E-commerce", "retail/e-commerce"), ("A medicine",
     "medicine"), ("A mix of law and finance", None), ("Z", None), ("cooking", None)],
)  # fmt: skip
def test_domains(said, name):
    assert read_ratings(f"[15]Domain: {said}").domain == name


def test_marks_and_other_spellings():
    text = "**[1] Accuracy**: **4/5** because it is.\n- Structural Standardization = 2\n[3]: 5/5"
    found = read_ratings(text).scores
    assert {k: v for k, v in found.items() if v} == {
        "accuracy": 4, "structural_standardisation": 2, "language_consistency": 5,
    }  # fmt: skip


def test_the_prompt_holds_no_rating():
    assert not any(read_ratings(rating_prompt("A text.")).scores.values())


# --- the small rater


def test_kappa_is_the_usual_one(rng):
    for _ in range(20):
        a, b = rng.integers(1, 6, (2, 40))
        b[:25] = a[:25]
        usual = cohen_kappa_score(a, b, weights="quadratic", labels=[1, 2, 3, 4, 5])
        assert quadratic_kappa(a, b) == pytest.approx(usual, abs=1e-12)
    assert quadratic_kappa([3, 3], [3, 3]) == 0.0


def test_no_statistic_is_the_length(prose):
    short, long = statistics(prose[0]), statistics(prose[0].replace(".", ";"))
    assert short != long
    text = " ".join(prose[:3])
    # twice the text, without what repeating it does to runs of words
    one, two = statistics(text), statistics(f"{text}\n\n{text}")
    assert not {"length", "words", "size"} & set(one._fields)
    for name in set(one._fields) - {"repeated_lines", "repeated_runs", "ties"}:
        assert getattr(two, name) == pytest.approx(getattr(one, name), rel=0.02, abs=0.002)


def test_an_empty_text_has_statistics():
    assert set(statistics("")) == {0.0}
    assert surface_rating("") >= 1


def test_a_rater_that_cannot_know_says_so(prose, rng):
    noise = rng.integers(1, 6, 300).tolist()
    said = pass_on(prose[:300], noise, prose[300:310], rng=np.random.default_rng(0))
    assert said.cause == "the small rater agrees too little"
    assert abs(said.agreement.kappa) < 0.2
    assert pass_on(prose[:9], [1] * 9, prose[9:], rng=rng).cause.startswith("fewer than")
    assert pass_on_labels(["a"], ["law"], ["b", "c"]) == ["law", "law"]
    assert pass_on_labels(["a b", "c d"], ["law", "other"], ["a b"]) == ["law"]


# --- budgets


CANDIDATES = st.lists(
    st.tuples(st.integers(1, 90), st.sampled_from([1.0, 2.5, 3.0, 5.0]), st.sampled_from("xyz")),
    min_size=1,
    max_size=40,
).map(lambda rows: [Candidate(str(i), *r) for i, r in enumerate(rows)])


@given(CANDIDATES, st.integers(1, 1500), st.booleans(), st.booleans())
def test_budgets_are_met_within_one_document(pool, tokens, equal, upsample):
    limits = budgets(pool, tokens, equal=equal)
    assert sum(limits.values()) == pytest.approx(tokens)
    copies = best(pool, limits, upsample=upsample, seed=3)
    for group, limit in limits.items():
        mine = [c for c in pool if c.group == group]
        used, size = sum(c.tokens * copies[c.id] for c in mine), sum(c.tokens for c in mine)
        most = max(c.tokens for c in mine)
        assert used < limit + most
        assert used >= (limit if upsample else min(limit, size)) - 1e-9
        taken = [c.score for c in mine if copies[c.id]]
        # the top and not the bottom
        assert min(taken) >= max([c.score for c in mine if not copies[c.id]], default=0)
    if not upsample:
        assert max(copies.values()) == 1
    if equal:
        assert len(set(limits.values())) == 1


def test_temperature_samples_without_replacement_by_rating():
    # Gumbel noise on log-odds is a draw in proportion to exp(score / temperature)
    pool = [Candidate("a", 1, 1.0, ""), Candidate("b", 1, 2.0, "")]
    first = Counter(next(iter(best(pool, {"": 1.0}, temperature=2.0, seed=s))) for s in range(4000))
    assert first["b"] / 4000 == pytest.approx(1 / (1 + np.exp(-0.5)), abs=0.025)


# --- documents that are known to be spoilt, and a model that is mostly right about them


FOREIGN = ("Der alte Kahn lag seit Jahren am Ufer und niemand wollte ihn haben.",
           "La vieja barca estaba en la orilla y nadie la quería ya.",
           "Il pleut depuis trois jours et la rivière monte encore un peu.",
           "Nessuno sapeva dove fosse andato il vecchio pescatore.")  # fmt: skip


def shuffled(text, r):
    words = text.split()
    return " ".join(words[i] for i in r.permutation(len(words)))


def repeated(text, r):
    lines = re.split(r"(?<=\.) ", text)
    return "\n".join([*lines, *[lines[int(r.integers(len(lines)))]] * 3])


def mixed(text, r):
    return "\n".join([text, *(FOREIGN[i] for i in r.permutation(4)[:2])])


def unmarked(text, r):
    return re.sub(r"[^\w\s]", "", text.lower())


@pytest.fixture(scope="module")
def spoilt(prose):
    """520 real paragraphs with none to all of four harms -> 5, less 1 for each harm."""
    r, out = np.random.default_rng(0), {}
    for text in prose[:520]:
        harms = sorted(r.permutation(4)[: int(r.integers(5))])
        for k in harms:
            text = (shuffled, repeated, mixed, unmarked)[k](text, r)
        out[text] = 5 - len(harms)
    return out


def model_of(truth):
    """Rate as is true; one answer in eight is a refusal, nonsense, off the scale or off by one."""

    def answer(prompt):
        text = prompt.partition("[text]\n")[2].rpartition("\n[/text]")[0]
        s = truth[text]
        bad = sum(text.encode()) % 48
        if bad < 4:
            return (
                "I'm sorry, but I can't help with that.", "A fine text!", prompt,
                "[14]Overall score: 7/5",
            )[bad]  # fmt: skip
        if bad < 6:
            s = min(s + 1, 5)
        return answer_of([s] * 14, "H" if "Python" in text else "E")

    return scripted(answer)


def budget(texts, share):
    return int(share * sum(len(t.encode()) / 4 for t in texts))


def kept(done, texts):
    return [texts[int(i)] for i in sorted(done.untouched, key=int)]


def uniform(texts, like, seed):
    """Return random documents with as many bytes."""
    left, out = sum(len(t.encode()) for t in like), []
    for i in np.random.default_rng(seed).permutation(len(texts)):
        if left > 0:
            out.append(texts[i])
            left -= len(texts[i].encode())
    return out


def test_answers_are_counted_with_one_cause_each(spoilt, rng):
    done = DataMan().run(list(spoilt), model_of(spoilt), rng=rng)
    ledger = done.ledger
    assert ledger.asked == len(spoilt)
    assert set(ledger.causes) == {"a copy of the prompt", "no rating of overall_score"}
    assert ledger.refused > 0
    # who got no answer is rated by the small rater
    by = Counter(done.notes["rated by"].values())
    assert by == {"generator": ledger.kept, "small rater": ledger.asked - ledger.kept}
    assert set(done.outcomes) == {"rewritten", "untouched", "dropped: rated below 5"}


def test_the_small_rater_agrees_with_ratings_it_never_saw(spoilt):
    texts, y = list(spoilt), np.array(list(spoilt.values()))
    said = pass_on(texts[:300], y[:300].tolist(), texts[300:], rng=np.random.default_rng(0))
    assert quadratic_kappa(said.ratings, y[300:]) > 0.7
    # what it says of itself is what a fresh test says
    assert said.agreement.kappa == pytest.approx(quadratic_kappa(said.ratings, y[300:]), abs=0.1)
    means = [mean for mean, _ in said.agreement.calibration.values()]
    assert means == sorted(means)


@pytest.mark.parametrize("asked", [100, 300])
def test_helps_over_uniform_sampling_at_equal_tokens(spoilt, prose, bigram_loss, asked):
    texts, held = list(spoilt), prose[520:]
    method = DataMan(tokens=budget(texts, 0.3), asked=asked)
    done = method.run(texts, model_of(spoilt), rng=np.random.default_rng(0))
    assert done.ledger.asked == asked
    assert done.notes["agreement"]["kappa"] > 0.7
    chosen = kept(done, texts)
    plain = np.mean([bigram_loss(uniform(texts, chosen, s), held) for s in range(3)])
    # a perplexity 5 % lower is a loss lower by 0.051
    assert bigram_loss(chosen, held) < plain - 0.051


def test_surface_rules_say_what_they_are(spoilt, prose, rng, bigram_loss):
    texts = list(spoilt)
    done = DataMan(tokens=budget(texts, 0.3)).run(texts, rng=rng)
    assert [f.code for f in done.findings] == ["W508"]
    assert set(done.notes["rated by"].values()) == {"surface rules"}
    assert done.ledger.asked == 0
    held, chosen = prose[520:], kept(done, texts)
    assert bigram_loss(chosen, held) < bigram_loss(uniform(texts, chosen, 0), held) - 0.051


def test_does_not_help_where_all_are_equally_good(prose, rng, bigram_loss):
    texts, held = prose[:520], prose[520:]
    done = {}
    for s in (2, 4):
        ask = scripted(lambda p: answer_of([s] * 14))  # noqa: B023  asked at once
        method = DataMan(tokens=budget(texts, 0.3), asked=100)
        done[s] = method.run(texts, ask, rng=np.random.default_rng(0))
        assert [f.code for f in done[s].findings] == ["W509"]
        assert "random" in done[s].findings[0].says
    assert done[2].untouched == done[4].untouched
    other = DataMan(tokens=budget(texts, 0.3)).run(texts, ask, rng=np.random.default_rng(1))
    assert other.untouched != done[4].untouched
    chosen = kept(done[4], texts)
    losses = [bigram_loss(uniform(texts, chosen, s), held) for s in range(12)]
    assert min(losses) - 0.03 < bigram_loss(chosen, held) < max(losses) + 0.03


def test_without_a_budget_what_is_rated_alike_stays(rng):
    done = DataMan().run(["One.", "Two."], scripted(lambda p: answer_of([2] * 14)), rng=rng)
    assert done.outcomes == {"rewritten": 0, "untouched": 2}
    assert [f.code for f in done.findings] == ["W509"]


def test_ratings_that_documents_bring_along_are_not_asked_for(rng):
    docs = [
        Doc("a", "One.", "", {"ratings": {"overall_score": 5.0, "accuracy": 9, "domain": "law"}}),
        Doc("b", "Two.", "", {"ratings": "[14]Overall score: 2/5"}),
        Doc("c", "Three.", "", {"ratings": {"accuracy": 5}}),
        Doc("d", " \n", "", {}),
    ]
    ask = scripted({})
    done = DataMan().run(docs, ask, rng=rng)
    assert ask.calls == 1  # "c" has no overall score
    assert done.untouched == {"a"}
    assert done.notes["ratings"]["a"]["accuracy"] is None
    assert done.notes["domains"] == {"a": "law", "b": "other"}
    assert dict(done.dropped) == {
        "b": "rated below 5", "d": "empty",
        "c": "no rating: empty answer; fewer than 50 ratings to learn from",
    }  # fmt: skip
    assert DataMan(criterion="accuracy").run(docs[2:3], rng=rng).untouched == {"c"}


def test_groups_and_copies(rng):
    docs = [Doc(f"{d}{i}", "word " * 8, d, {}) for d, n in (("a", 30), ("b", 10)) for i in range(n)]
    ask = scripted(lambda p: answer_of([3] * 14))
    by_source = DataMan(tokens=200, within="source").run(docs, ask, rng=rng)
    assert Counter(i[0] for i in by_source.untouched) == {"a": 15, "b": 5}
    short = DataMan(tokens=800).run(docs, ask, rng=rng)
    assert set(short.copies.values()) == {1}
    full = DataMan(tokens=800, upsample=True).run(docs, ask, rng=rng)
    assert sum(full.copies.values()) == 80
    weights = full.selection().weights
    assert weights.sum() == 80
    assert weights.max() >= 2
    marked = [d._replace(text=d.text + ("law" if d.domain == "b" else "art")) for d in docs]
    ask = scripted(lambda p: answer_of([3] * 14, "C" if "law\n[/text]" in p else "J"))
    equal = DataMan(tokens=110, within="domain").run(marked, ask, rng=rng)
    assert equal.notes["tokens"] == {"law": 55, "culture": 55}


def test_the_order_of_documents_changes_nothing(spoilt):
    docs = [Doc(f"d{i}", t, "", {}) for i, t in enumerate(spoilt)]
    one, two = (
        DataMan(tokens=9000, asked=120, temperature=0.5).run(
            d, model_of(spoilt), rng=np.random.default_rng(7)
        )
        for d in (docs, docs[::-1])
    )
    assert one.untouched == two.untouched
    assert one.notes["ratings"] == two.notes["ratings"]


def test_a_rating_holds_for_the_head_and_a_note_says_of_how_many(rng):
    ask = scripted(lambda p: answer_of([5 if "end" not in p else 1] * 14))
    done = DataMan(head_tokens=10).run(["word " * 20 + "end"], ask, rng=rng)
    assert done.untouched == {"0"}
    assert done.notes["judged by their head"] == 1


def test_a_rating_does_not_follow_the_length(spoilt):
    texts, y = list(spoilt), list(spoilt.values())
    rater = Rater().fit(texts, y, rng=np.random.default_rng(0))
    # two good documents in one are no better and no worse
    good = [t for t in texts if spoilt[t] == 5]
    pairs = [f"{a}\n\n{b}" for a, b in zip(good[::2], good[1::2], strict=False)]
    gap = rater.rate(pairs)[0].mean() - rater.rate(good)[0].mean()
    assert abs(gap) < 0.3


@pytest.mark.parametrize(
    "options",
    [{"criterion": "beauty"}, {"within": "town"}, {"least": 0}, {"tokens": 0}, {"asked": -1},
     {"temperature": -1.0}, {"head_tokens": 0}],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(BadInput):
        DataMan(**options)
