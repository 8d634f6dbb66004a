"""The tiny decoder: parity with the reference, exact loss, same bits, resume."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn import functional as F

from ecotone.core.mixture import Mixture, Phase
from ecotone.train.checkpoint import load_model, save_model
from ecotone.train.decoder import TinyLM, tiny_lm
from ecotone.train.head import output_loss
from ecotone.train.lm import Recipe, evaluate, run_task, train, window_losses

RECIPE = Recipe(tokens=2_560, depth=1, context=16, batch=4, eval_tokens=640)
MIX = Mixture({"high": 0.5, "low": 0.3, "target": 0.2})


def bits(model):
    return {k: v.tolist() for k, v in model.state_dict().items()}


@pytest.mark.parametrize(("n", "vocab"), [(1, 7), (40, 7), (700, 1024), (33, 9000)])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_output_loss_equals_cross_entropy(n, vocab, scale):
    rng = torch.Generator().manual_seed(0)
    hidden = torch.randn(n, 12, generator=rng, dtype=torch.float64) * scale
    weight = torch.randn(vocab, 12, generator=rng, dtype=torch.float64)
    target = torch.randint(vocab, (n,), generator=rng)
    ours = [t.clone().requires_grad_() for t in (hidden, weight)]
    theirs = [t.clone().requires_grad_() for t in (hidden, weight)]
    one = output_loss(*ours, target)
    two = F.cross_entropy(theirs[0] @ theirs[1].T, target)
    (3 * one).backward()
    (3 * two).backward()
    assert_allclose(one.item(), two.item(), rtol=1e-12)
    for a, b in zip(ours, theirs, strict=True):
        assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-13)


def test_output_loss_has_a_gradient_for_the_weight_alone_and_none_without():
    hidden, weight = torch.randn(5, 4), torch.randn(6, 4, requires_grad=True)
    target = torch.arange(5)
    output_loss(hidden, weight, target).backward()
    grad = weight.grad.clone()
    weight.grad = None
    F.cross_entropy(hidden @ weight.T, target).backward()
    assert_allclose(grad.numpy(), weight.grad.numpy(), rtol=1e-4, atol=1e-6)
    assert not output_loss(hidden, weight.detach(), target).requires_grad


def test_parity_with_the_reference_decoder():
    transformers = pytest.importorskip("transformers")
    config = tiny_lm(2, vocab=97, context=24)
    ours = TinyLM(config, seed=3).eval()
    with torch.no_grad():  # biases and norms off their start, or a slip there would not show
        for i, p in enumerate(ours.parameters()):
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(i)))
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=97, n_positions=24, n_embd=config.width, n_layer=2, n_head=config.heads,
            activation_function="relu", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
            bos_token_id=0, eos_token_id=0,
        )
    ).eval()  # fmt: skip
    names = {
        "norm1": "ln_1", "norm2": "ln_2", "qkv": "attn.c_attn", "out": "attn.c_proj",
        "up": "mlp.c_fc", "down": "mlp.c_proj",
    }  # fmt: skip
    state = {}
    for key, value in ours.state_dict().items():
        parts = key.split(".")
        if parts[0] == "blocks":
            inner = names[parts[2]]
            # the reference keeps its matrices the other way round
            turned = (
                value.T if inner.split(".")[-1].startswith("c_") and value.dim() == 2 else value
            )
            state[f"transformer.h.{parts[1]}.{inner}.{parts[3]}"] = turned
        else:
            place = {"tokens": "wte", "places": "wpe", "norm": "ln_f"}[parts[0]]
            state[f"transformer.{place}.{parts[1]}"] = value
    state["lm_head.weight"] = ours.tokens.weight
    missing = theirs.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys
    assert all("attn.bias" in k or "masked_bias" in k for k in missing.missing_keys)
    ids = torch.randint(97, (3, 24), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mine, other = ours(ids), theirs(input_ids=ids).logits
        # float32, two layers: a few units in the last place
        assert_allclose(mine.numpy(), other.numpy(), rtol=1e-4, atol=1e-4)
        loss = theirs(input_ids=ids, labels=ids).loss
        assert_allclose(ours.loss(ids).item(), loss.item(), rtol=1e-5)
    assert sum(p.numel() for p in theirs.parameters()) == config.parameters


def test_parameters_are_counted():
    for depth in (1, 2, 3):
        config = tiny_lm(depth, vocab=50, context=8)
        assert sum(p.numel() for p in TinyLM(config).parameters()) == config.parameters


def test_no_word_sees_a_later_one():
    model = TinyLM(tiny_lm(2, vocab=50, context=12)).eval()
    ids = torch.arange(12)[None]
    other = ids.clone()
    other[0, 7:] = 3
    with torch.no_grad():
        assert torch.equal(model(ids)[0, :7], model(other)[0, :7])


def test_loss_is_the_mean_of_the_token_losses():
    model = TinyLM(tiny_lm(1, vocab=50, context=12))
    ids = torch.randint(50, (4, 13), generator=torch.Generator().manual_seed(1))
    assert_allclose(model.loss(ids).item(), model.token_losses(ids).mean().item(), rtol=1e-5)


def test_loss_falls_on_made_text(store):
    # documents of five words alike: a decoder that has read them is near log 5 per word
    found = train(store, Mixture({"low": 1.0}), Recipe(16_000, 1, 32, 4))
    fresh = evaluate(TinyLM(tiny_lm(1, vocab=store.vocab, context=32)), store)
    assert found.losses["low"] < 0.5 * fresh["low"]
    assert found.losses["low"] < found.losses["high"]
    first, last = found.curve[0][1], found.curve[-1][1]
    assert last < 0.6 * first
    per_byte = found.losses["low"] / math.log(2) / store.bytes_per_token("low", "dev")
    assert found.bits["low"] == pytest.approx(per_byte)
    assert found.tokens == 16_000
    assert len(found.target_windows) > 1
    assert found.losses["target"] == pytest.approx(np.mean(found.target_windows))


def test_same_seed_same_bits_and_global_states_untouched(store):
    before = torch.random.get_rng_state()
    one, two = (train(store, MIX, RECIPE, seed=4) for _ in range(2))
    assert bits(one.model) == bits(two.model)
    assert one.losses == two.losses
    assert one.curve == two.curve
    assert torch.equal(before, torch.random.get_rng_state())
    assert train(store, MIX, RECIPE, seed=5).losses != one.losses


def test_a_schedule_that_changes_nothing_gives_the_same_bits(store):
    same = Mixture.scheduled((Phase(0.4, MIX.weights), Phase(1.0, MIX.weights)))
    assert bits(train(store, MIX, RECIPE).model) == bits(train(store, same, RECIPE).model)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("stop", [1, 17, 39])
def test_a_stopped_training_goes_on_to_the_same_bits(store, tmp_path, stop):
    def tick(step, steps):
        if step == stop:
            raise Stopped

    whole = train(store, MIX, RECIPE, seed=2)
    with pytest.raises(Stopped):
        train(store, MIX, RECIPE, seed=2, checkpoint=tmp_path, every=10, tick=tick)
    assert (tmp_path / "state.safetensors").exists() == (stop > 10)
    steps = []
    again = train(
        store, MIX, RECIPE, seed=2, checkpoint=tmp_path, every=10,
        tick=lambda step, _: steps.append(step),
    )  # fmt: skip
    assert steps[0] == (stop // 10 * 10 if stop % 10 else stop - 10) + 1
    assert steps[-1] == RECIPE.steps
    assert bits(again.model) == bits(whole.model)
    assert again.losses == whole.losses
    assert again.curve == whole.curve


def test_the_state_of_another_training_is_not_taken(store, tmp_path):
    train(store, MIX, RECIPE, seed=2, checkpoint=tmp_path, every=10)
    other = train(store, MIX, RECIPE, seed=3, checkpoint=tmp_path, every=10)
    assert other.losses == train(store, MIX, RECIPE, seed=3).losses


def test_as_a_task_it_gives_json_and_cleans_up(store, tmp_path):
    told = []
    given = {
        "store": str(store.path),
        "mixture": {"weights": MIX.weights, "phases": [], "caps": {}},
        "recipe": vars(RECIPE),
        "seed": 2,
        "split": "dev",
        "corpus": store.fingerprint,
    }
    found = run_task(
        **given, checkpoint=str(tmp_path / "c"), keep=str(tmp_path / "m"),
        tick=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert found["losses"] == train(store, MIX, RECIPE, seed=2).losses
    assert "model" not in found
    assert told[-1] == (40, 40)
    assert not (tmp_path / "c").exists()
    model = load_model(tmp_path / "m")
    assert evaluate(model, store, most=640) == found["losses"]


def test_models_survive_the_road(tmp_path):
    model = TinyLM(tiny_lm(1, vocab=30, context=8), seed=9)
    save_model(model, tmp_path)
    assert bits(load_model(tmp_path)) == bits(model)


def test_held_out_windows_are_the_same_for_every_model_and_spread(store):
    one, two = (TinyLM(tiny_lm(1, vocab=store.vocab, context=16), seed=s) for s in (0, 1))
    a, b = (window_losses(m, store, "target", "test", 160) for m in (one, two))
    assert a.shape == b.shape == (10,)
    every = window_losses(one, store, "target", "test", 10**9)
    assert len(every) == (store.count("target", "test") - 1) // 16
    assert set(a.round(5)) <= set(every.round(5))


def test_text_shorter_than_a_window_is_one_short_window(store):
    model = TinyLM(tiny_lm(1, vocab=store.vocab, context=4096))
    (loss,) = window_losses(model, store, "low", "dev", 100)
    ids = torch.from_numpy(np.asarray(store.tokens("low", "dev"), dtype=np.int64))[None]
    with torch.no_grad():
        assert loss == pytest.approx(model.loss(ids).item())
