"""A method after training as a value: how it rounds a matrix, what it sees; the set of all.

``w4@name`` in what serving names is looked up here. A method is one file in methods/ with its
record under METHOD; one of your own is registered from outside by `register_method`, and is then
spelled ``@name`` wherever the others are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import get_args

from torch import Tensor

from isoloss.files import Registry
from isoloss.formats import Format
from isoloss.lm.after.seen import Sees
from isoloss.lm.entries import check_name, register_folder
from isoloss.lm.shape import ModelError

#: The method of a format that names none.
NEAREST = "rtn"


@dataclass(frozen=True, eq=False)
class Scaled:
    """What a method that scales inputs gives back: W x = (W diag s)(x / s), rounded on both sides.

    Attributes
    ----------
    weight
        round(W diag s) diag s^-1, (outputs, inputs): it takes inputs as they are.
    scale
        s, (inputs,), greater than zero: activations x are served as round(x / s) s.
    """

    weight: Tensor
    scale: Tensor


def _takes_all(known: Format) -> str | None:
    return None


@dataclass(frozen=True)
class PostMethod:
    """How the matrices of a trained model are rounded: ``w4@name``.

    Attributes
    ----------
    name
        How it is spelled behind the @: lower-case letters, digits and single underscores.
    round
        A function of (weight, known, seen) that returns the rounded matrix. weight: shape (outputs,
        inputs), on its device, in float32 or float64; known: the format, its granularity filled in,
        without a method; seen: what `sees` says.
    sees
        What of the calibration inputs X, shape (tokens, inputs), it is given: "nothing" (seen is
        None), "hessian" (H = 2 X^T X in float64, (inputs, inputs)), "moments" (H and the sizes of
        inputs, see `Moments`) or "inputs" (X itself, at least in float32).
    layer_by_layer
        True: X is what the layers before give once they are rounded, found anew for every format.
        False: what they give with their weights as they were trained (an embedding that is named,
        and activations, are rounded in both), found once for all formats. Unused where it sees
        nothing.
    together
        Whether matrices of one format that take the same input are given to it as one, below each
        other, such as the queries, keys and values of a block; it sees inputs as they were trained.
        A function says so of each format, such as those whose scales belong to rows.
    refusal
        Why a format cannot be rounded by it, as the end of a sentence, or None.
    draws
        Whether `round` takes a fourth argument `random`, a torch.Generator, to which formats that
        round at random ('~sr') are left.
    scales
        Whether `round` gives a `Scaled`: the rounded matrix, and the scale by which its inputs are
        divided where activations are rounded. It sees inputs before anything is rounded.
    run_time
        Whether activations, keys, values and queries may name it. They are rounded to nearest as
        they come, so a method that does more to weights says False.

    Examples
    --------
    A row's label is the name, with the number of sequences where it is calibrated: "gptq on 128
    sequences".
    """

    name: str
    round: Callable[..., Tensor | Scaled]
    sees: Sees = "nothing"
    layer_by_layer: bool = True
    together: bool | Callable[[Format], bool] = False
    refusal: Callable[[Format], str | None] = _takes_all
    draws: bool = False
    run_time: bool = False
    scales: bool = False

    def __post_init__(self) -> None:
        check_name("method after training", self.name)
        if not callable(self.round) or not callable(self.refusal):
            raise ModelError(
                f"the method '{self.name}' rounds by {self.round!r} and refuses by "
                f"{self.refusal!r}; both are functions"
            )
        if self.sees not in get_args(Sees):
            raise ModelError(
                f"the method '{self.name}' sees {self.sees!r}; accepted are "
                f"{', '.join(get_args(Sees))}"
            )
        if self.scales and self.layer_by_layer:
            raise ModelError(
                f"the method '{self.name}' scales inputs, which it sees before anything is "
                "rounded; it says layer_by_layer=False"
            )
        if self.together and (self.sees == "nothing" or self.layer_by_layer):
            raise ModelError(
                f"the method '{self.name}' takes matrices of one input together; it says what it "
                "sees, and layer_by_layer=False"
            )

    def takes_together(self, known: Format) -> bool:
        """Whether it is given matrices of one input as one, in this format."""
        return self.together(known) if callable(self.together) else self.together

    @property
    def calibrated(self) -> bool:
        """Whether it needs calibration tokens."""
        return self.sees != "nothing"

    def label(self, sequences: int) -> str:
        """What the column `method` of a run says: the name, and how many sequences it was
        calibrated on.
        """
        return f"{self.name} on {sequences} sequences" if self.calibrated else self.name


def _shipped() -> None:
    register_folder(METHODS, "isoloss.lm.after.methods", "METHOD")


METHODS: Registry[PostMethod] = Registry(
    "method after training", ModelError, _shipped, of=PostMethod
)


def register_method(method: PostMethod, *, replace: bool = False) -> PostMethod:
    """Make a method of your own known as ``@name``, in `quantise`, `train(post=...)` and on the
    command line.

    Parameters
    ----------
    method
        The record. Processes of a sweep are sent its functions by reference, so they stand at the
        top level of a module; the command line learns of the module by ``--use``.
    replace
        Give a taken name to this method, as when the cell of a notebook runs again.

    Returns
    -------
    PostMethod
        The method itself.

    Raises
    ------
    ModelError
        The name is taken by another method.
    """
    return METHODS.add(method, replace=replace)


def method_of_format(known: Format) -> PostMethod:
    """The method that a format names, rounding to nearest where it names none.

    Raises
    ------
    ModelError
        There is no such method; the sentence has those that there are.
    """
    return METHODS[known.method or NEAREST]


def calibrated_methods(formats: Iterable[Format]) -> list[PostMethod]:
    """The methods among those of some formats that need calibration, each once, in their order."""
    found = dict.fromkeys(method_of_format(known) for known in formats)
    return [method for method in found if method.calibrated]


def own_methods(formats: Iterable[Format]) -> tuple[PostMethod, ...]:
    """The methods among those of some formats that isoloss does not ship: what a worker must be
    sent.
    """
    return METHODS.own(method_of_format(known) for known in formats)


def know_methods(methods: Iterable[PostMethod]) -> None:
    """Register methods that another process sent; those that are known already keep their home."""
    for method in methods:
        METHODS.receive(method, method.round.__module__)


def label_of(formats: Iterable[Format], sequences: int) -> str:
    """What the row of a quantised run says of its method: all that were named, or that it was
    rounded to nearest.
    """
    named = dict.fromkeys(method_of_format(known) for known in formats)
    others = [method for method in named if method.name != NEAREST]
    return ", ".join(method.label(sequences) for method in others) or NEAREST
