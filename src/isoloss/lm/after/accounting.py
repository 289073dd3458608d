"""All weights of any model, accounted for: which are matrices to round, which are tables or numbers
of another kind, and which nobody can round as they stand.

Linear layers are known by themselves. Whatever else has two axes or more is judged by what tokens
meet when they pass the model (products.py), so that a family that nobody named is rounded or
refused, and never left in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import torch
from torch import Tensor, nn

from isoloss.lm.after.degrading import logits_of
from isoloss.lm.after.seen import Matrix, Product, Products
from isoloss.lm.arguments import vocabulary
from isoloss.lm.shape import ModelError

#: The scope of matrices that choose experts; like the ends, they are rounded where a scope names
#: them alone.
ROUTER = "router"
#: Tokens with which a model is looked at where none are given.
_LOOKED_AT = 16


@dataclass(frozen=True)
class Weights:
    """The weights of a model by what can be done with them.

    Attributes
    ----------
    matrices
        Those that multiply activations, in the model's own order; each expert of a stack is one.
    tables
        Names of embeddings that tokens look up.
    apart
        Names of what has two axes and is in no product: biases of experts, decays.
    beyond
        Names of weights that cannot be rounded as they stand, with the reason.
    """

    matrices: tuple[Matrix, ...]
    tables: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    beyond: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@torch.no_grad()
def weights_of_model(model: nn.Module, tokens: Tensor | None = None) -> Weights:
    """Account for the weights of a model.

    Parameters
    ----------
    model
        Any module; where it has more than linear layers and embeddings, tokens pass it once.
    tokens
        Which, (rows, context); some of its vocabulary unless given.

    Raises
    ------
    ModelError
        It has no matrix besides its head, or has to be looked at and cannot be run on tokens.
    """
    ends = {id(end): name for name, end in ends_of(model).items()}
    found: dict[str, list[Matrix]] = {}
    tables, others = [], {}
    for path, module in model.named_modules():
        for own, weight in _own(module):
            name = f"{path}.{own}" if path else own
            if _is_linear(module) and own == "weight":
                last = path.rpartition(".")[2].lower()
                scope = "head" if ends.get(id(module)) == "head" else last
                found[name] = [Matrix(path, scope, module, weight)]
            elif isinstance(module, nn.Embedding) or ends.get(id(module)) == "embedding":
                tables.append(name)
            else:
                others[name] = (module, weight)
    looked = _looked_at(model, others, tokens) if others else _Look()
    for name, products in looked.matrices.items():
        found[name] = list(_stacked(name, *others[name], products))
    order = [name for name, _ in model.named_parameters(remove_duplicate=False) if name in found]
    matrices = tuple(matrix for name in order for matrix in found[name])
    if all(matrix.scope == "head" for matrix in matrices) and not looked.beyond:
        raise ModelError(f"a {type(model).__name__} has no matrix to quantise besides its head")
    return Weights(
        _with_routers(matrices), tuple(tables), looked.apart, MappingProxyType(looked.beyond)
    )


def ends_of(model: nn.Module) -> dict[str, nn.Module]:
    """The modules of a model that look up its embedding and give its logits, as far as it names
    them.
    """
    named = {"embedding": "get_input_embeddings", "head": "get_output_embeddings"}
    found = {end: getattr(model, ask, lambda: None)() for end, ask in named.items()}
    return {end: module for end, module in found.items() if isinstance(module, nn.Module)}


@dataclass
class _Look:
    """What tokens met: matrices with the axis of their inputs, and the rest."""

    matrices: dict[str, int] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    beyond: dict[str, str] = field(default_factory=dict)


def _own(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a module itself that may be weights: parameters and buffers of two axes."""
    named = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    return ((name, tensor) for name, tensor in named if tensor.dim() >= 2)


def _is_linear(module: nn.Module) -> bool:
    # A class of another's may compute its weight, or keep it packed.
    return type(module) is nn.Linear and module.weight.is_floating_point()


def _looked_at(
    model: nn.Module, others: Mapping[str, tuple[nn.Module, Tensor]], tokens: Tensor | None
) -> _Look:
    axes: dict[str, int] = {}

    def met(product: Product) -> None:
        axes[product.name] = product.axis

    watch = Products({name: tensor for name, (_, tensor) in others.items()}, met)
    try:
        with watch:
            logits_of(model, _some_tokens(model) if tokens is None else tokens[:1])
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"'{next(iter(others))}' is no linear layer, and a {type(model).__name__} cannot be "
            f"run on tokens to see what it is ({type(error).__name__}: {reason})"
        ) from None
    look = _Look()
    for name, (module, tensor) in others.items():
        parameter = isinstance(tensor, nn.Parameter)
        if name in watch.computed:
            look.beyond[name] = "what multiplies activations is computed from it"
        elif name in watch.strange:
            look.beyond[name] = watch.strange[name]
        elif name in axes and not parameter:
            look.beyond[name] = "it is kept as a buffer"
        elif name in axes and tensor.dim() > 3:
            look.beyond[name] = f"it has {tensor.dim()} axes"
        elif name in axes:
            look.matrices[name] = axes[name]
        elif name in watch.convolved:
            look.beyond[name] = "it is the kernel of a convolution"
        elif parameter and name not in watch.apart:
            look.beyond[name] = f"no token of a text passes this {type(module).__name__}"
        elif parameter:
            look.apart = (*look.apart, name)
    return look


def _some_tokens(model: nn.Module) -> Tensor:
    known = vocabulary(model)
    return (torch.arange(_LOOKED_AT) % (known or _LOOKED_AT))[None]


def _stacked(name: str, module: nn.Module, weight: Tensor, axis: int) -> Iterator[Matrix]:
    """The matrices in a parameter: itself, or the experts of a stack."""
    place, turned = name.removesuffix(".weight"), axis == -2
    scope = place.rpartition(".")[2].lower()
    if weight.dim() == 2:
        yield Matrix(place, scope, module, weight, turned=turned)
        return
    for k in range(len(weight)):
        yield Matrix(f"{place}[{k}]", scope, module, weight, k, turned)


def _with_routers(matrices: tuple[Matrix, ...]) -> tuple[Matrix, ...]:
    """The same, with the scope of those that choose among experts: a gate with no more outputs than
    there are experts beside it.
    """
    experts: dict[str, set[str]] = {}
    for matrix in matrices:
        beside, inside, rest = matrix.name.partition(".experts")
        if inside:  # "...experts.3.w1" in a list of modules, "...experts.w1[3]" in a stack
            which = rest.rpartition("[")[2] if "[" in rest else rest.split(".")[1]
            experts.setdefault(beside, set()).add(which)
    return tuple(
        replace(matrix, scope=ROUTER) if _chooses(matrix, experts) else matrix
        for matrix in matrices
    )


def _chooses(matrix: Matrix, experts: Mapping[str, set[str]]) -> bool:
    names = matrix.name.split(".")
    above = [".".join(names[:k]) for k in (-1, -2)]
    beside = next((each for each in above if each in experts), None)
    gate = any(name.endswith(("gate", "router")) for name in names[-2:])
    return gate and beside is not None and matrix.outputs <= len(experts[beside])
