"""What goes into each linear layer, and the gradient of what comes out, example by example."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ecotone.core.errors import BadInput, MissingExtra

Tensor = Any


def torch_for(need: str) -> Any:
    """Return torch, or say which extra brings it."""
    try:
        import torch
    except ModuleNotFoundError:
        raise MissingExtra.of("lm", "torch", need) from None
    return torch


def linear_layers(model: Any, others: str) -> tuple[dict[str, Any], list[str]]:
    """Return the trainable linear and convolution layers, and the parameters that are in none.

    A weight that two modules share has a gradient that is no sum of one layer's products, so it
    counts among the others, which are refused or skipped.
    """
    torch = torch_for("EKFAC")
    owners: dict[int, int] = {}
    for module in model.modules():
        for p in module.parameters(recurse=False):
            owners[id(p)] = owners.get(id(p), 0) + 1
    layers = {
        name: m
        for name, m in model.named_modules()
        if (isinstance(m, torch.nn.Linear) or (isinstance(m, torch.nn.Conv2d) and m.groups == 1))
        and m.weight.requires_grad
        and owners[id(m.weight)] == 1
        and getattr(m, "padding_mode", "zeros") == "zeros"
        and not isinstance(getattr(m, "padding", 0), str)
    }
    covered = {id(p) for m in layers.values() for p in m.parameters(recurse=False)}
    left = [n for n, p in model.named_parameters() if p.requires_grad and id(p) not in covered]
    if not layers:
        raise BadInput(
            "EKFAC: the model has no trainable linear layer.", cure="pass an nn.Module with some"
        )
    if left and others == "refuse":
        raise BadInput(
            f"EKFAC: {len(left)} parameters are in no linear layer of their own: {left[0]}, ...",
            why="their influence would silently be left out.",
            cure='others="skip"',
        )
    return layers, left


def width(layer: Any) -> tuple[int, int]:
    """Return (out, in) of its weight as a matrix, the bias as one more input."""
    out = int(layer.weight.shape[0])
    return out, int(layer.weight.numel() // out) + (layer.bias is not None)


@contextmanager
def watched(layers: dict[str, Any]) -> Iterator[dict[str, list[tuple[Tensor, Tensor]]]]:
    """Keep input and output of every layer while the model runs."""
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in layers}

    def keeper(name: str) -> Callable[..., Tensor]:
        def hook(_: Any, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
            seen[name].append((given[0].detach().clone(), output))
            return output.clone()  # what comes next may write in place, and must not write here

        return hook

    hooks = [layer.register_forward_hook(keeper(name)) for name, layer in layers.items()]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def outputs_of(model: Any, layers: dict[str, Any], x: Tensor) -> tuple[Tensor, list[Tensor], Any]:
    """Run the model; return its logits, the inputs (B, T, in) of all layers, and their outputs."""
    with watched(layers) as seen:
        result = model(x)
    for name, calls in seen.items():
        if len(calls) != 1:
            raise BadInput(
                f"EKFAC: the layer {name} ran {len(calls)} times in one pass.",
                cure="freeze it: layer.weight.requires_grad_(False)",
            )
    inputs = [_tokens(layers[name], calls[0][0]) for name, calls in seen.items()]
    return getattr(result, "logits", result), inputs, [calls[0][1] for calls in seen.values()]


def pulled(layers: dict[str, Any], loss: Tensor, outputs: list[Tensor]) -> list[Tensor]:
    """Return the gradient of a loss by the outputs, (B, T, out); the graph stays for another."""
    torch = torch_for("EKFAC")
    found = torch.autograd.grad(loss, outputs, retain_graph=True)
    return [
        g.flatten(2).transpose(1, 2) if isinstance(m, torch.nn.Conv2d)
        else g.reshape(len(g), -1, g.shape[-1])
        for m, g in zip(layers.values(), found, strict=True)
    ]  # fmt: skip


def _tokens(layer: Any, a: Tensor) -> Tensor:
    """Return the inputs of a layer as (B, T, in), with a 1 for the bias."""
    torch = torch_for("EKFAC")
    if isinstance(layer, torch.nn.Conv2d):
        patches = torch.nn.functional.unfold(
            a, layer.kernel_size, layer.dilation, layer.padding, layer.stride
        )
        a = patches.transpose(1, 2)
    else:
        a = a.reshape(len(a), -1, a.shape[-1])
    if layer.bias is None:
        return a
    return torch.cat([a, torch.ones_like(a[..., :1])], dim=-1)
