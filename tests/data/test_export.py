"""What is written for a trainer is read back as the same shares, in the unit the trainer counts."""

import ast
import json
import math
import runpy
import sys
import types

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.core.errors import BadInput, EcotoneError
from ecotone.core.mixture import Mixture, Phase
from ecotone.data import export
from ecotone.data.export.plan import exact
from ecotone.data.export.yaml_text import number, quoted, unquoted

WEIGHTS = {"law": 0.123456789012345, "no": 0.3, "web: a": 1 / 3, "tiny": 2e-7, "off": 0.0}
WEIGHTS["code"] = 1 - math.fsum(WEIGHTS.values())
LENGTHS = {"law": 2000.0, "no": 50.0, "web: a": 400.0, "tiny": 1.5, "off": 9.0, "code": 333.25}
FACTS = {
    "target": "law",
    "budget": {"tokens": 1_000_000},
    "domains": [
        {"name": n, "role": "source", "documents": 1000, "tokens": int(1000 * t)}
        for n, t in LENGTHS.items()
    ],
    "cv": {"target": {"spearman": 0.9, "p": 1e-4, "n": 40, "measured": [1.0]}},
    "verdict": {"decision": "adapt", "gain": 0.1},
    "paths": {n: n.replace(": ", "_") for n in WEIGHTS},
}
DOCUMENTS = ["mosaicml", "hf", "torchtitan", "llama-factory"]
TOKENS = ["megatron", "olmo-core", "litgpt"]
MIXTURE = Mixture(WEIGHTS, caps={"law": 2.5, "no": 0.5}, made_by="mix-auto-1234")


def converted(weights=WEIGHTS):
    """The unit conversion, written again."""
    parts = {n: w / LENGTHS[n] for n, w in weights.items() if w}
    return {n: p / sum(parts.values()) for n, p in parts.items()}


def test_the_formats_are_listed():
    assert set(export.FORMATS) == {"json", *DOCUMENTS, *TOKENS}
    with pytest.raises(BadInput) as info:
        export.write(MIXTURE, "axolotl", "x")
    assert all(name in str(info.value) for name in export.FORMATS)
    with pytest.raises(BadInput, match="axolotl"):
        export.read("x", "axolotl")
    with pytest.raises(BadInput, match="pakced"):
        export.write(MIXTURE, "hf:pakced", "x")


@pytest.mark.parametrize("name", sorted(export.FORMATS))
@pytest.mark.parametrize("packed", ["", ":packed"])
def test_round_trip(name, packed, tmp_path):
    path = export.write(MIXTURE, name + packed, tmp_path, FACTS)
    back = export.read(path, name)
    assert back.keys() == WEIGHTS.keys()
    for domain, share in WEIGHTS.items():
        assert back[domain] == pytest.approx(share, rel=1e-9, abs=1e-15)
    text = "".join(p.read_text() for p in path.parent.rglob("*") if p.is_file())
    documents = name in DOCUMENTS and not packed
    assert ("Unit: documents" in text) == documents
    assert documents or "Unit: tokens" in text or '"unit": "tokens"' in text


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=60))
def test_exact_shares_sum_to_one_to_the_last_bit(values):
    shares = exact({str(i): v for i, v in enumerate(values)})
    assert math.fsum(shares.values()) == 1.0
    assert min(shares.values()) > 0
    np.testing.assert_allclose(list(shares.values()), np.array(values) / sum(values), rtol=1e-9)


@settings(max_examples=300, deadline=None)
@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_yaml_words_survive_a_real_parser(text, value):
    assert yaml.safe_load(f"{quoted(text)}: 1") == {text: 1}
    assert unquoted(quoted(text)) == text
    back = yaml.safe_load(number(value))
    assert isinstance(back, float)
    assert back == value


def test_megatron_text_and_json_are_what_its_parser_wants(tmp_path):
    path = export.write(MIXTURE, "megatron", tmp_path, FACTS)
    words = path.read_text().split()
    assert words[1::2] == ["law", "no", "web_a", "tiny", "code"]
    assert math.fsum(map(float, words[::2])) == 1.0
    split = json.loads((path.parent / "blend-per-split.json").read_text())
    assert split == {"train": words, "valid": ["law"], "test": ["law"]}
    assert export.read(path.parent / "blend-per-split.json", "megatron") == export.read(
        path, "megatron"
    )
    with pytest.raises(BadInput, match="white space"):
        export.write(MIXTURE, "megatron", tmp_path)


def test_megatron_divides_a_share_among_the_files_of_a_domain(tmp_path):
    facts = {"paths": {"a": ["x/1", "x/2"], "b": "y"}}
    path = export.write(Mixture({"a": 0.5, "b": 0.5}), "megatron", tmp_path, facts)
    assert path.read_text() == "0.25 x/1 0.25 x/2 0.5 y\n"
    assert export.read(path, "megatron") == {"a": 0.5, "b": 0.5}


def test_olmo_sources_pass_its_checks(tmp_path):
    record = yaml.safe_load(export.write(MIXTURE, "olmo-core", tmp_path, FACTS).read_text())
    sources = record["source_list"]["sources"]
    assert record["requested_tokens"] == 1_000_000
    assert math.fsum(s["target_ratio"] for s in sources) == 1.0
    assert [s["source_name"] for s in sources] == ["law", "no", "web: a", "tiny", "code"]
    for s in sources:
        assert set(s) == {
            "source_name", "target_ratio", "paths", "max_repetition_ratio", "max_source_fraction"
        }  # fmt: skip
        assert 0 < s["target_ratio"] <= 1
        assert s["max_repetition_ratio"] >= 1
        assert 0 < s["max_source_fraction"] <= 1
        assert s["paths"] == [FACTS["paths"][s["source_name"]]]
    by_name = {s["source_name"]: s for s in sources}
    assert by_name["law"]["max_repetition_ratio"] == 2.5
    assert by_name["no"]["max_source_fraction"] == 0.5
    # without a cap: as many whole epochs as the budget needs (333,333 of 400,000: one)
    assert by_name["web: a"]["max_repetition_ratio"] == 1.0


def test_shares_of_tokens_become_shares_of_documents(tmp_path):
    streams = yaml.safe_load(export.write(MIXTURE, "mosaicml", tmp_path, FACTS).read_text())[
        "streams"
    ]
    assert {n: s["proportion"] for n, s in streams.items()} == pytest.approx(converted())
    assert streams["web: a"]["remote"] == "web_a"
    record = yaml.safe_load(export.write(MIXTURE, "llama-factory", tmp_path, FACTS).read_text())
    probs = [float(p) for p in record["interleave_probs"].split(",")]
    assert dict(zip(record["dataset"].split(","), probs, strict=True)) == pytest.approx(converted())
    assert record["mix_strategy"] == "interleave_over"
    packed = yaml.safe_load(export.write(MIXTURE, "mosaicml:packed", tmp_path, FACTS).read_text())
    assert packed["streams"]["no"]["proportion"] == pytest.approx(0.3)


def test_measured_lengths_win_over_totals(tmp_path):
    """Totals mislead: most documents of a target are held out, its tokens are training text."""
    rows = [
        {"name": "a", "documents": 100, "tokens": 100, "tokens_per_document": 10.0},
        {"name": "b", "documents": 100, "tokens": 1000},
    ]
    path = export.write(Mixture({"a": 0.5, "b": 0.5}), "hf", tmp_path, {"domains": rows})
    table = runpy.run_path(str(path))["PROBABILITIES"]
    assert table == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_unknown_lengths_are_refused_unless_packed(name, tmp_path):
    mixture = Mixture({"a": 0.25, "b": 0.75})
    with pytest.raises(BadInput) as info:
        export.write(mixture, name, tmp_path, {"domains": [{"name": "a", "role": "source"}]})
    assert f"--export {name}:packed" in info.value.cure
    path = export.write(mixture, f"{name}:packed", tmp_path)
    assert export.read(path, name) == {"a": 0.25, "b": 0.75}


def test_a_schedule_goes_to_json_or_phase_by_phase(tmp_path):
    phases = (Phase(0.5, {"a": 1.0, "b": 0.0}), Phase(1.0, {"a": 0.25, "b": 0.75}))
    mixture = Mixture.scheduled(phases)
    path = export.write(mixture, "json", tmp_path, FACTS)
    record = json.loads(path.read_text())
    assert [(p["until"], p["weights"]) for p in record["schedule"]] == [
        (p.until, p.weights) for p in phases
    ]
    assert export.read(path, "json") == mixture.weights
    for name in [*TOKENS, *DOCUMENTS]:
        with pytest.raises(EcotoneError) as info:
            export.write(mixture, name, tmp_path, FACTS)
        assert f"--export {name}:phase2" in info.value.cure
        assert "--export json" in info.value.cure
        path = export.write(mixture, f"{name}:packed:phase2", tmp_path)
        assert export.read(path, name) == {"a": 0.25, "b": 0.75}
    with pytest.raises(BadInput, match="phase3"):
        export.write(mixture, "hf:phase3", tmp_path, FACTS)
    with pytest.raises(BadInput, match="no phases"):
        export.write(MIXTURE, "hf:phase1", tmp_path, FACTS)


def test_json_says_everything(tmp_path):
    record = json.loads(export.write(MIXTURE, "json", tmp_path, FACTS).read_text())
    assert record["schema"] == "ecotone.export/1"
    assert record["unit"] == "tokens"
    assert record["caps"] == {"law": 2.5, "no": 0.5}
    assert record["schedule"] == [{"until": 1.0, "weights": record["weights"]}]
    # 12.3 % of a million tokens from a domain that has two million
    assert record["epochs"]["law"] == pytest.approx(0.0617, abs=1e-4)
    assert record["provenance"]["made_by"] == "mix-auto-1234"
    assert record["provenance"]["verdict"]["decision"] == "adapt"
    assert record["provenance"]["cross_validation"]["target"] == {
        "spearman": 0.9, "p": 1e-4, "n": 40
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(export.FORMATS))
def test_files_of_another_kind_are_refused(name, tmp_path):
    file = tmp_path / "x"
    file.write_text("{not: [this\n")
    with pytest.raises(BadInput, match=r"x: "):
        export.read(file, name)
    with pytest.raises(BadInput, match="No such file"):
        export.read(tmp_path / "none", name)


def test_names_that_would_break_a_list_are_refused(tmp_path):
    with pytest.raises(BadInput, match="commas"):
        export.write(Mixture({"a,b": 1.0}), "llama-factory:packed", tmp_path)
    with pytest.raises(BadInput, match="2 paths"):
        export.write(Mixture({"a": 1.0}), "mosaicml:packed", tmp_path, {"paths": {"a": ["1", "2"]}})


def test_python_exports_run(tmp_path, monkeypatch):
    """The functions in the files call their library with the exported weights."""
    seen = {}

    class Recorded:
        def __init__(self, **given):
            seen.update(given)

    litdata = types.ModuleType("litdata")
    litdata.CombinedStreamingDataset = Recorded
    titan = types.ModuleType("torchtitan.components.data")
    titan.DatasetMixConfig = Recorded
    titan.WeightedDataset = lambda dataset, weight: (dataset, weight)
    for module in (litdata, titan, types.ModuleType("torchtitan")):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "torchtitan.components", types.ModuleType("components"))
    sets = {n: f"set {n}" for n in WEIGHTS}
    path = export.write(MIXTURE, "litgpt", tmp_path, FACTS)
    runpy.run_path(str(path))["mix"](sets)
    assert seen["datasets"] == ["set law", "set no", "set web: a", "set tiny", "set code"]
    assert seen["weights"] == pytest.approx([w for w in WEIGHTS.values() if w])
    path = export.write(MIXTURE, "torchtitan", tmp_path, FACTS)
    runpy.run_path(str(path))["mix"](sets)
    shares = converted()
    assert dict(seen["datasets"]) == pytest.approx({sets[n]: s for n, s in shares.items()})
    for file in tmp_path.glob("*.py"):
        ast.parse(file.read_text())


def test_hugging_face_reads_the_token_shares_that_were_asked(tmp_path):
    """Real interleave_datasets on documents of very different lengths."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    lengths = {"long": 300, "middle": 40, "short": 5}
    asked = {"long": 0.5, "middle": 0.3, "short": 0.2}
    facts = {
        "domains": [{"name": n, "documents": 4000, "tokens": 4000 * t} for n, t in lengths.items()]
    }
    path = export.write(Mixture(asked), "hf", tmp_path, facts)
    sets = {n: datasets.Dataset.from_dict({"tokens": [t] * 60_000}) for n, t in lengths.items()}
    mixed = runpy.run_path(str(path))["mix"](sets, stopping_strategy="first_exhausted")
    tokens = mixed.to_pandas()["tokens"].to_numpy()
    n, total = len(tokens), tokens.sum()
    got = {name: tokens[tokens == t].sum() / total for name, t in lengths.items()}
    probabilities = runpy.run_path(str(path))["PROBABILITIES"]
    for name, share in asked.items():
        p = probabilities[name]
        # 4 standard deviations of a binomial count, in shares of tokens
        slack = 4 * math.sqrt(n * p * (1 - p)) * lengths[name] / total
        assert got[name] == pytest.approx(share, abs=slack)
        assert slack < 0.05
    # and token shares taken as probabilities would have been far off
    wrong = {name: asked[name] * lengths[name] for name in asked}
    assert wrong["long"] / sum(wrong.values()) > 0.9
