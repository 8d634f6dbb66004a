from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ecotone.core.errors import BadInput
from ecotone.rewrite.asking import Ask
from ecotone.rewrite.generators import endpoint, local_model, scripted


def test_a_script_knows_samples_and_what_it_does_not_know():
    script = scripted({"q": ["a", "b"], "r": "c"})
    assert script.draw(["q", "q", "q", "r", "s"], [0, 1, 2, 5, 0]) == ["a", "b", "a", "c", None]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, dict(self.headers), body))
        said = body["messages"][0]["content"]
        status = self.server.script.pop(0) if self.server.script else 200
        content = {"choices": [{"message": {"content": said.upper()}}]}
        data = b"<html>" if said == "garbage" else json.dumps(content).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://elsewhere.invalid/")
        if status == 429:
            self.send_header("Retry-After", "9")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        http.seen, http.script = [], []
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        http.address = f"http://127.0.0.1:{http.server_port}/v1"
        yield http
        http.shutdown()
        thread.join()


@pytest.mark.net
def test_an_endpoint_is_asked_and_its_moods_are_borne(server, clock, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "geheim")
    server.script = [429, 503]
    generator = endpoint(server.address, "tiny", key_env="SOME_KEY", temperature=0.0)
    answers = Ask(generator, clock=clock)(["hello", "garbage"])
    assert [a.text for a in answers] == ["HELLO", None]
    assert answers[1].cause == "empty answer"
    assert clock.naps == [9.0, 2.0]
    path, headers, body = server.seen[-1]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer geheim"
    assert (body["model"], body["temperature"]) == ("tiny", 0.0)
    assert "geheim" not in generator.name


@pytest.mark.net
def test_samples_carry_a_seed_and_may_be_asked_side_by_side(server):
    generator = endpoint(server.address, "tiny", parallel=3)
    assert generator.draw(["a", "b", "a"], [0, 0, 1]) == ["A", "B", "A"]
    seeds = {(b["messages"][0]["content"], b["seed"]) for _, _, b in server.seen}
    assert len(seeds) == 3


@pytest.mark.net
@pytest.mark.parametrize("status", [302, 401, 404])
def test_what_asking_again_cannot_mend_ends_the_run(server, clock, status):
    server.script = [status]
    with pytest.raises(BadInput, match=f"HTTP {status}"):
        Ask(endpoint(server.address, "tiny"), clock=clock)(["hello"])
    assert len(server.seen) == 1


@pytest.mark.net
def test_nobody_there(clock):
    answers = Ask(endpoint("http://127.0.0.1:9", "tiny"), clock=clock)(["hello"])
    assert answers[0].cause == "failed"


def test_addresses_that_would_leak_or_cannot_work_are_refused(monkeypatch):
    with pytest.raises(BadInput, match="unencrypted"):
        endpoint("http://example.org/v1", "m", key_env="SOME_KEY")
    with pytest.raises(BadInput, match="no HTTP"):
        endpoint("file:///etc/passwd", "m")
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(BadInput, match="no NO_KEY"):
        endpoint("https://example.org/v1", "m", key_env="NO_KEY")(["x"])


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """A language model of the Hugging Face format with random weights."""
    pytest.importorskip("transformers")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    words = {w: i for i, w in enumerate(["<pad>", "<unk>", *"abcdefghij"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=12, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=64, eos_token_id=None, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_a_local_model_repeats_itself_sample_by_sample(model_folder):
    import torch

    before = torch.random.get_rng_state()
    greedy = local_model(str(model_folder), max_tokens=5)
    assert greedy(["a b", "c"]) == greedy(["c", "a b"])[::-1]
    model = local_model(str(model_folder), max_tokens=8, temperature=5.0, seed=3)
    first = model.draw(["a b"] * 3, [0, 1, 2])
    assert len(set(first)) > 1
    assert model.draw(["a b"], [2]) == first[2:]
    assert torch.equal(before, torch.random.get_rng_state())
    assert greedy.name != model.name


def test_a_model_that_is_not_there(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(BadInput, match="cannot be loaded"):
        local_model(str(tmp_path))
