"""All weights of any model, accounted for: which are matrices to round, which are tables or numbers
of another kind, and which nobody can round as they stand.

Linear layers are known by themselves. Whatever else has axes, parameter or not, is judged by what
tokens meet when they pass the model (looking.py), so that a family that nobody named is rounded or
refused, and never left in silence.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import (
    CellType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)

import torch
from torch import Tensor, nn

from isoloss.lm.after.looking import Probe, look_at
from isoloss.lm.after.scopes import ROUTER, Blocks, blocks_of, own_name
from isoloss.lm.after.seen import Matrix
from isoloss.lm.shape import ModelError

#: Types of weights that are rounded; narrower ones hold what was rounded already.
_WIDE = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
#: Whose objects are not searched for weights.
_LIBRARIES = frozenset({"torch", "numpy", *sys.stdlib_module_names})


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
        Names of what has two axes and is in no product: biases of experts, tables of positions.
    beyond
        Names of weights that cannot be rounded as they stand, with the reason.
    sizes
        How many numbers each of these has.
    again
        Further linear layers that hold the weight of a matrix, which is one all the same.
    """

    matrices: tuple[Matrix, ...]
    tables: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    beyond: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    again: tuple[Matrix, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def blocks(self) -> Blocks:
        """The lists of blocks that the weights lie in, with how many each has."""
        matrices = (*self.matrices, *self.again)
        return blocks_of((*(m.path for m in matrices), *(n.split(".") for n in self.beyond)))


@torch.no_grad()
def weights_of_model(
    model: nn.Module, tokens: Tensor | None = None, probe: Probe | None = None
) -> Weights:
    """Account for the weights of a model.

    Parameters
    ----------
    model
        Any module; tokens pass it once, which it has to take where it has more than linear layers
        and embeddings.
    tokens
        Which, (rows, context); some of its vocabulary unless given.
    probe
        Runs the model in place of tokens, where it takes something else.

    Raises
    ------
    ModelError
        It has no matrix besides its head, or has to be looked at and cannot be run on tokens.
    """
    kinds = _kinds_of(model)
    tables = {id(weight) for _, weight in kinds.tables.values()}
    looked_up = {n for n, (_, weight) in kinds.linear.items() if id(weight) in tables}
    watched = {n: held for n, held in kinds.linear.items() if n not in looked_up}
    look = look_at(model, watched, kinds.others, tokens, probe)
    found: dict[str, list[Matrix]] = {}
    for name, (module, weight) in kinds.linear.items():
        path = name.removesuffix("weight").removesuffix(".")
        scope = kinds.scope_of(path, module)
        if name in looked_up and scope != "head":
            look.beyond[name] = "it is looked up as an embedding too"
        elif reason := _stored(weight):
            look.beyond[name] = reason
        if name not in look.beyond:
            found[name] = [Matrix(path, scope, module, weight, held=name in look.elsewhere)]
    params = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    for name, axis in look.matrices.items():
        if reason := _stored(kinds.others[name][1]):
            look.beyond[name] = reason
        elif name not in params:
            look.beyond[name] = "its module is held by another in a way that torch does not see"
        elif axis < -2:
            look.beyond[name] = "its inputs lie along its first axis, so that it is no stack"
        else:
            found[name] = list(_stacked(name, *kinds.others[name], axis))
    order = [name for name in params if name in found]
    matrices = tuple(matrix for name in order for matrix in found[name])
    if all(matrix.scope == "head" for matrix in matrices) and not look.beyond:
        raise ModelError(f"a {type(model).__name__} has no matrix to quantise besides its head")
    return Weights(
        _with_routers(matrices),
        tuple(kinds.tables),
        look.apart,
        MappingProxyType(look.beyond),
        tuple(_again(kinds, found)),
        MappingProxyType({n: (kinds.linear | kinds.others)[n][1].numel() for n in look.beyond}),
    )


def _again(kinds: _Kinds, found: Mapping[str, list[Matrix]]) -> Iterator[Matrix]:
    """Further linear layers of matrices that were found."""
    for path, (name, module, weight) in kinds.again.items():
        if name in found:
            held, scope = found[name][0].held, kinds.scope_of(path, module)
            yield Matrix(path, scope, module, weight, held=held)


def _stored(weight: Tensor) -> str | None:
    """Why a weight of its type is not rounded, None where it is one of the wide."""
    if weight.dtype in _WIDE:
        return None
    why = "is complex" if weight.is_complex() else "has been rounded"
    return f"it is stored as {str(weight.dtype)[6:]}, which {why}"


@dataclass
class _Kinds:
    """The weights of a model by what their modules say: name, and module and tensor.

    Attributes
    ----------
    linear
        Of linear layers.
    tables
        Of embeddings.
    others
        Of anything else, vectors among them.
    again
        Further modules that hold a weight of linear layers, by path: with its first name.
    head
        The module that gives logits.
    """

    linear: dict[str, tuple[nn.Module, Tensor]]
    tables: dict[str, tuple[nn.Module, Tensor]]
    others: dict[str, tuple[nn.Module, Tensor]]
    again: dict[str, tuple[str, nn.Module, Tensor]]
    head: nn.Module | None

    def scope_of(self, path: str, module: nn.Module) -> str:
        """The name by which a precision speaks of a layer."""
        return "head" if module is self.head else own_name(path.split("."))


def _kinds_of(model: nn.Module) -> _Kinds:
    ends = ends_of(model)
    kinds = _Kinds({}, {}, {}, {}, ends.get("head"))
    first: dict[int, str] = {}
    for path, module in model.named_modules():
        for own, weight in _own(module):
            name = f"{path}.{own}" if path else own
            if weight.dim() < 2:
                kinds.others[name] = module, weight
            elif isinstance(module, nn.Embedding) or id(module) == id(ends.get("embedding")):
                kinds.tables[name] = module, weight
            elif id(weight) in first:
                if _is_linear(module):
                    kinds.again[path] = first[id(weight)], module, weight
            else:
                first[id(weight)] = name
                linear = _is_linear(module) and own == "weight"
                (kinds.linear if linear else kinds.others)[name] = module, weight
    known = {id(held) for group in (kinds.tables, kinds.others) for _, held in group.values()}
    for name, module, weight in _unregistered(model):
        if id(weight) not in known and id(weight) not in first:
            kinds.others.setdefault(name, (module, weight))
    return kinds


def ends_of(model: nn.Module) -> dict[str, nn.Module]:
    """The modules of a model that look up its embedding and give its logits, as far as it names
    them.
    """
    named = {"embedding": "get_input_embeddings", "head": "get_output_embeddings"}
    found = {end: getattr(model, ask, lambda: None)() for end, ask in named.items()}
    modules = {end: getattr(module, "_orig_mod", module) for end, module in found.items()}
    return {end: module for end, module in modules.items() if isinstance(module, nn.Module)}


def _own(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a module itself that may be weights: parameters and buffers with axes."""
    named = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    return ((name, tensor) for name, tensor in named if tensor.dim())


def _unregistered(model: nn.Module) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Tensors that modules hold out of torch's sight, in attributes, plain containers and objects,
    partial functions, bound methods and closures, and those of modules that are held so.
    """
    seen = {id(module) for module in model.modules()}
    for path, module in model.named_modules():
        yield from _hidden_in(module, path, seen)


def _hidden_in(
    module: nn.Module, path: str, seen: set[int]
) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Those of one module; seen: what need not be entered again, by id."""
    internal = vars(nn.Module())
    own = ((name, held) for name, held in vars(module).items() if name not in internal)
    for name, held in _leaves(own, path, seen):
        if isinstance(held, Tensor) and held.dim():
            yield name, module, held
        elif isinstance(held, nn.Module) and id(held) not in seen:
            inside = list(held.named_modules(prefix=name))
            seen |= {id(each) for _, each in inside}
            for inner, tensor in (*held.named_parameters(name), *held.named_buffers(name)):
                yield inner, held, tensor
            for inner, each in inside:
                yield from _hidden_in(each, inner, seen)


def _leaves(
    parts: Iterable[tuple[str, object]], path: str, seen: set[int]
) -> Iterator[tuple[str, object]]:
    """What named parts hold, however deep, with the way to it."""
    ahead = [(path, *each) for each in parts][::-1]
    while ahead:
        before, key, held = ahead.pop()
        name = ".".join(filter(None, (before, key)))
        if isinstance(held, Tensor | nn.Module):
            yield name, held
        elif id(held) not in seen and (inner := _parts_of(held)):
            seen.add(id(held))
            ahead += [(name, *each) for each in inner][::-1]


def _parts_of(held: object) -> list[tuple[str, object]]:
    """What a container, an object or a function holds, by name; none of what is a library's."""
    if isinstance(held, dict):
        return [(str(key), inner) for key, inner in held.items()]
    if isinstance(held, list | tuple | set | frozenset | deque):
        return [(str(k), inner) for k, inner in enumerate(held)]
    if isinstance(held, partial):
        return [*_parts_of(held.args), *_parts_of(held.keywords), ("func", held.func)]
    if isinstance(held, MethodType):
        return [("", held.__self__), ("", held.__func__)]
    if _is_of_library(held):
        return []
    if isinstance(held, FunctionType):
        cells = zip(held.__code__.co_freevars, held.__closure__ or (), strict=True)
        names = held.__code__.co_varnames[: held.__code__.co_argcount]
        given = held.__defaults__ or ()
        return [
            *((name, cell.cell_contents) for name, cell in cells if _is_filled(cell)),
            *zip(names[len(names) - len(given) :], given, strict=True),
            *(held.__kwdefaults__ or {}).items(),
            *vars(held).items(),
        ]
    slots = (name for kind in type(held).__mro__ for name in _parts_named(kind))
    return [
        *((name, getattr(held, name)) for name in slots if hasattr(held, name)),
        *getattr(held, "__dict__", {}).items(),
    ]


def _parts_named(kind: type) -> tuple[str, ...]:
    """The slots that a class declares."""
    names = vars(kind).get("__slots__", ())
    own = (names,) if isinstance(names, str) else tuple(names)
    return tuple(name for name in own if not name.startswith("__"))


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _is_of_library(held: object) -> bool:
    """Whether torch, numpy or Python itself made an object: what these hold is no weight of the
    model, but for the plain namespaces, which are anybody's.
    """
    if isinstance(held, type | ModuleType):
        return True
    own = held if isinstance(held, FunctionType) else type(held)
    room = str(own.__module__).partition(".")[0]
    return room in _LIBRARIES and not isinstance(held, SimpleNamespace | Namespace)


def _is_linear(module: nn.Module) -> bool:
    # A class of another's may compute its weight, or keep it packed.
    return type(module) is nn.Linear and module.weight.is_floating_point()


def _stacked(name: str, module: nn.Module, weight: Tensor, axis: int) -> Iterator[Matrix]:
    """The matrices in a parameter: itself, or the experts of a stack."""
    place, turned = name.removesuffix(".weight"), axis == -2
    scope = own_name(place.split("."))
    if weight.dim() == 2:
        yield Matrix(place, scope, module, weight, turned=turned, held=True)
        return
    for k in range(len(weight)):
        yield Matrix(f"{place}[{k}]", scope, module, weight, k, turned, held=True)


def _with_routers(matrices: tuple[Matrix, ...]) -> tuple[Matrix, ...]:
    """The same, with the scope of those that choose among experts: a gate with no more outputs than
    there are experts beside it.
    """
    experts: dict[str, set[str]] = {}
    for matrix in matrices:
        # With a point in front, so that experts of the model itself are found as well.
        beside, inside, rest = f".{matrix.name}".partition(".experts")
        beside = beside.removeprefix(".")
        if inside:  # "...experts.3.w1" in a list of modules, "...experts.w1[3]" in a stack
            which = rest.rpartition("[")[2] if "[" in rest else rest.split(".")[1]
            experts.setdefault(beside, set()).add(which)
        if matrix.expert is not None:  # "mlp.w1[3]", "mlp.pool.w1[3]", whatever the names
            for up in (-1, -2):
                experts.setdefault(".".join(matrix.path[:up]), set()).add(f"{matrix.expert}]")
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
