"""Rounding on a GPU that is not there: its divisions, what waits for it, and bytes of memory."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fake_devices import DEVICE, Divisions, fake_device
from isoloss import formats
from isoloss.formats import catalogue
from isoloss.formats.rounding import arrays
from isoloss.formats.torch_twin import compiled_as, fake_quantise

SCALED = [str(known) for known in catalogue() if known.is_scaled]
X = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mark", ["/row", "/16", "/32+had"])
@pytest.mark.parametrize("name", [*SCALED, "int4_full", "uint4"])
def test_a_gpu_that_multiplies_by_reciprocals_has_the_same_bits(
    name: str, mark: str, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in ("binary", "ternary") and dtype is np.float64:
        pytest.skip("the order of their sum is not fixed")
    x = X.astype(dtype)
    want = formats.fake_quantise(x, f"{name}{mark}")
    monkeypatch.setattr(arrays, "on_processor", lambda x: False)
    with Divisions():
        there = formats.fake_quantise(torch.from_numpy(x), f"{name}{mark}")
    assert np.array_equal(there.numpy(), want)


def test_a_reciprocal_turns_the_last_bit_of_many_scales() -> None:
    """What the test above would not see if its GPU divided as the specification does."""
    x = torch.from_numpy(np.abs(X).max(1))
    with Divisions():
        assert float((x / 7.0 != torch.from_numpy(x.numpy() / np.float32(7))).double().mean()) > 0.2


def test_compiled_divisions_are_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(torch, "compile", lambda function, **how: asked.update(how) or function)

    def halved(x: torch.Tensor) -> torch.Tensor:
        return x / 2

    compiled_as("halves", halved)
    known = {"eager_numerics.division_rounding", "emulate_divison_rounding"}
    options = asked["options"]
    assert isinstance(options, dict)
    assert len(known & options.keys()) == 1
    assert set(options.values()) == {True}


class Operations(TorchDispatchMode):
    """Notes the operations that torch starts."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.names.append(func.__name__)
        return func(*args, **(kwargs or {}))


def test_sixteen_bits_are_widened_and_narrowed_inside_of_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two bytes in and two out a number: nothing else passes through memory."""
    taken: list[torch.dtype] = []

    def noted(name, function):  # type: ignore[no-untyped-def]
        def program(x: torch.Tensor, *others: object) -> torch.Tensor:
            taken.append(x.dtype)
            found: torch.Tensor = function(x, *others)
            taken.append(found.dtype)
            return found

        return program

    module = "isoloss.formats.torch_twin.compiled"
    monkeypatch.setattr(f"{module}.compiled_as", noted)
    monkeypatch.setattr(f"{module}._program", compiled_program())
    x = torch.from_numpy(X).bfloat16()
    found = fake_quantise(x, "int4/row", check=False)
    assert taken == [torch.bfloat16, torch.bfloat16]
    assert torch.equal(found, formats.fake_quantise(x.float(), "int4/row").bfloat16())


def compiled_program():  # type: ignore[no-untyped-def]
    """The maker of programs without what it keeps."""
    from isoloss.formats.torch_twin import compiled

    return compiled._program.__wrapped__


@pytest.mark.parametrize("name", ["int4/row", "mxfp4", "nf4", "e4m3~sr"])
def test_sixteen_bits_unchecked_are_rounded_in_float32_and_cast(name: str) -> None:
    x = torch.from_numpy(X).bfloat16()
    uniform = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    drawn = uniform if "~" in name else None
    want = formats.fake_quantise(x.float(), name, random=drawn).bfloat16()
    for out in (None, torch.empty_like(x)):
        found = fake_quantise(x, name, random=drawn, check=False, out=out, compiled=False)
        assert found.dtype == torch.bfloat16
        assert torch.equal(found, want)


def test_sixteen_bits_in_place_are_refused_before_anything_is_written() -> None:
    x = torch.from_numpy(X).bfloat16()
    before = x.clone()
    with pytest.raises(formats.RoundedTwice, match="pass a float32 array, or check=False"):
        fake_quantise(x, "int4/row", out=x, compiled=False)
    assert torch.equal(x, before)
    assert fake_quantise(x, "int4/row", out=x, check=False, compiled=False) is x
    assert torch.equal(x, fake_quantise(before, "int4/row", check=False, compiled=False))


def test_the_clip_search_starts_few_operations_on_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for name in ("int4/row", "int4/row+clip"):
        with fake_device(monkeypatch), Operations() as operations:
            fake_quantise(torch.empty(512, 512, device=DEVICE), name, check=False, compiled=False)
        counts.append(len(operations.names))
    assert counts[1] < 100
    assert counts[1] < 10 * counts[0]


@pytest.mark.parametrize("mark", ["", "/row", "/16+had", "/row+clip", "/row~sr"])
@pytest.mark.parametrize(
    "name", ["int4", "e4m3", "nf4", "uint4", "nvfp4", "mxfp4", "binary", "vec(0.1)"]
)
def test_rounding_unchecked_stays_on_the_device_and_waits_for_nothing(
    name: str, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "(" in name and mark:
        pytest.skip("noise takes no modifiers")
    with fake_device(monkeypatch) as reads:
        x = torch.empty(4, 64, device=DEVICE)
        drawn = torch.rand(4, 64, device=DEVICE) if "~" in mark else None
        if "(" in name:
            drawn = torch.Generator()
        found = fake_quantise(x, f"{name}{mark}", random=drawn, check=False, compiled=False)
    assert (found.device.type, found.shape, found.dtype) == (DEVICE, x.shape, x.dtype)
    assert reads.count == ("~" in mark)  # the caller's own uniform numbers are looked at
