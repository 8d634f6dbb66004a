"""Generators: a script, an endpoint that speaks the usual protocol, a local model, hand rules.

Each is called with a list of prompts and returns a list of answers; each has a `name`, which the
cache of `Ask` files its answers under; those that sample have ``draw(prompts, numbers)``, so that
sample 3 of a prompt is the same whenever it is asked for.
"""

from __future__ import annotations

import inspect
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from ecotone.core.errors import BadInput, MissingExtra
from ecotone.core.files import fingerprint
from ecotone.core.seeds import derive
from ecotone.rewrite.asking import TryAgain

LOCAL = ("localhost", "127.0.0.1", "::1")


class _Scripted:
    """Answers from a function or a dictionary."""

    def __init__(self, answers: Any, name: str) -> None:
        self.answers, self.name = answers, name
        self.calls = 0  # prompts answered so far: tests of the cache look at it
        self._numbered = callable(answers) and _places(answers) > 1

    def __call__(self, prompts: Sequence[str]) -> list[Any]:
        return self.draw(prompts, [0] * len(prompts))

    def draw(self, prompts: Sequence[str], numbers: Sequence[int]) -> list[Any]:
        self.calls += len(prompts)
        return [self._one(p, n) for p, n in zip(prompts, numbers, strict=True)]

    def _one(self, prompt: str, number: int) -> Any:
        if callable(self.answers):
            return self.answers(prompt, number) if self._numbered else self.answers(prompt)
        found = self.answers.get(prompt)
        if isinstance(found, list | tuple):
            return found[number % len(found)] if found else None
        return found


def _places(function: Callable[..., Any]) -> int:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds for p in inspect.signature(function).parameters.values())


def scripted(
    answers: Callable[..., str | None] | Mapping[str, Any], *, name: str = "script"
) -> _Scripted:
    """Return a generator that follows a script.

    Parameters
    ----------
    answers : callable or mapping
        ``prompt -> answer``, or ``(prompt, number of the sample) -> answer``. In a mapping, a list
        holds one answer a sample; a prompt it does not know has no answer.
    name : str
        For the cache.

    Examples
    --------
    >>> scripted({"2 + 2": "4"})(["2 + 2", "3 + 3"])
    ['4', None]
    """
    return _Scripted(answers, name)


class _Endpoint:
    """Chat completions over HTTP."""

    def __init__(self, url: str, key_env: str, body: dict[str, Any], timeout: float, parallel: int):
        self.url, self.key_env, self.body = url, key_env, body
        self.timeout, self.parallel = timeout, parallel
        self.name = f"{url} {body['model']} {fingerprint(body)}"
        # a redirect would carry the key to wherever it points
        self._opener = urllib.request.build_opener(_NoRedirect)

    def __call__(self, prompts: Sequence[str]) -> list[str | None]:
        return self.draw(prompts, [0] * len(prompts))

    def draw(self, prompts: Sequence[str], numbers: Sequence[int]) -> list[str | None]:
        if self.parallel == 1 or len(prompts) == 1:
            return [self._one(p, n) for p, n in zip(prompts, numbers, strict=True)]
        with ThreadPoolExecutor(self.parallel) as pool:
            return list(pool.map(self._one, prompts, numbers))

    def _one(self, prompt: str, number: int) -> str | None:
        messages = [{"role": "user", "content": prompt}]
        body = self.body | {"messages": messages, "seed": derive(0, number) % 2**31}
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.url, data, self._headers())
        try:
            with self._opener.open(request, timeout=self.timeout) as reply:
                return _content(reply.read())
        except urllib.error.HTTPError as error:
            raise self._refused(error) from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise TryAgain(f"{self.url}: {getattr(error, 'reason', error)}") from None

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.key_env:
            key = os.environ.get(self.key_env, "")
            if not key:
                raise BadInput(
                    f"the environment has no {self.key_env}, which should hold the key.",
                    cure=f"export {self.key_env}=...",
                )
            headers["Authorization"] = f"Bearer {key}"
        return headers

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        said = error.read(300).decode("utf-8", "replace")
        if error.code in (408, 409, 425, 429) or error.code >= 500:
            after = error.headers.get("Retry-After", "") if error.headers else ""
            return TryAgain(f"HTTP {error.code}: {said}", float(after) if after.isdigit() else 0.0)
        return BadInput(
            f"{self.url} answers HTTP {error.code}: {said}",
            why="asking again would not help.",
            cure="check url, model and key_env",
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:  # None: do not follow
        return None


def _content(data: bytes) -> str | None:
    """Return the text of a reply; None when it holds none."""
    try:
        text = json.loads(data)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return text if isinstance(text, str) else None


def endpoint(
    url: str,
    model: str,
    *,
    key_env: str = "",
    temperature: float = 0.7,
    top_p: float = 0.95,
    max_tokens: int = 512,
    timeout: float = 120.0,
    parallel: int = 1,
) -> _Endpoint:
    """Return a generator that asks an endpoint with the usual chat protocol.

    Parameters
    ----------
    url : str
        Of the server, such as ``http://localhost:8000/v1``; ``/chat/completions`` is added.
    model : str
        Its name there.
    key_env : str
        Name of the environment variable that holds the key; "" sends none. It is read when asked,
        and neither kept nor shown.
    temperature, top_p, max_tokens : float, float, int
        How it samples, and how much.
    timeout : float
        Seconds for one request.
    parallel : int
        Requests at a time.

    Raises
    ------
    BadInput
        A URL that is no HTTP, or a key that would travel in the clear to another machine.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"endpoint: {url!r} is no HTTP address.", cure="http://localhost:8000/v1")
    if key_env and parts.scheme == "http" and parts.hostname not in LOCAL:
        raise BadInput(
            "endpoint: the key would travel unencrypted.", cure=f"https{url[len('http') :]}"
        )
    full = url.rstrip("/")
    full += "" if full.endswith("/chat/completions") else "/chat/completions"
    body = {"model": model, "temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}
    return _Endpoint(full, key_env, body, timeout, parallel)


class _LocalModel:
    """A causal language model in this process."""

    def __init__(self, model: Any, tokenizer: Any, name: str, settings: dict[str, Any]) -> None:
        self.model, self.tokenizer, self.settings = model, tokenizer, settings
        self.name = f"{name} {fingerprint(settings)}"

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        return self.draw(prompts, [0] * len(prompts))

    def draw(self, prompts: Sequence[str], numbers: Sequence[int]) -> list[str]:
        # one by one: padding would make an answer depend, in its last bits, on its neighbours
        return [self._one(p, n) for p, n in zip(prompts, numbers, strict=True)]

    def _one(self, prompt: str, number: int) -> str:
        import torch

        s = self.settings
        if getattr(self.tokenizer, "chat_template", None):
            message = [{"role": "user", "content": prompt}]
            prompt = self.tokenizer.apply_chat_template(
                message, tokenize=False, add_generation_prompt=True
            )
        ids = self.tokenizer(prompt, return_tensors="pt")["input_ids"].to(self.model.device)
        sampling = {"do_sample": False}
        if s["temperature"] > 0:
            sampling = {"do_sample": True, "temperature": s["temperature"], "top_p": s["top_p"]}
        with torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(derive(s["seed"], prompt, number))
            out = self.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=s["max_tokens"],
                pad_token_id=self.tokenizer.pad_token_id or 0,
                **sampling,
            )
        return str(self.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))


def local_model(
    path: str,
    *,
    max_tokens: int = 256,
    temperature: float = 0.0,
    top_p: float = 0.95,
    seed: int = 0,
    device: str = "cpu",
) -> _LocalModel:
    """Return a generator that runs a causal language model of the Hugging Face format here.

    Parameters
    ----------
    path : str
        A folder, or a name that its loader knows. Weights are read from safetensors only, and no
        code that comes with a model is run.
    max_tokens : int
        Most new tokens.
    temperature, top_p : float
        How it samples; temperature 0 takes the likeliest token.
    seed : int
        Of the samples.
    device : str
        Where it runs.

    Raises
    ------
    MissingExtra
        The package transformers is not installed.
    """
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ModuleNotFoundError:
        raise MissingExtra.of("hf", "transformers", "local_model") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model: Any = AutoModelForCausalLM.from_pretrained(path, use_safetensors=True)
    except (OSError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise BadInput(
            f"local_model: {path} cannot be loaded: {said}", cure="name a folder"
        ) from None
    settings = {"max_tokens": max_tokens, "temperature": temperature, "top_p": top_p, "seed": seed}
    model.to(device=device)
    return _LocalModel(model.eval(), tokenizer, str(path), settings)


def rule_refiner() -> _Scripted:
    """Return a generator without a model that writes refining programs for `prox` by hand rules."""
    from ecotone.rewrite._refining_rules import program

    return _Scripted(program, "rule_refiner-1")
