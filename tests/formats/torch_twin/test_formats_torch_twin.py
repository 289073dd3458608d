"""The compiled twin against the specification: every code, every midpoint, their neighbours;
scales, gradients, refusals."""

import shutil

import numpy as np
import pytest
import torch
from torch._inductor import config

from isoloss import formats
from isoloss.formats import Format, catalogue, custom_format
from isoloss.formats.torch_twin import fake_quantise

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
SCALED = [known for known in catalogue() if known.is_scaled]
X = torch.from_numpy(np.random.default_rng(0).standard_normal((16, 64)).astype(np.float32))


def points(known: Format) -> torch.Tensor:
    """Codes, midpoints, their float32 neighbours, and what lies beyond the largest number."""
    grid = known.grid
    beyond = min(1.4 * known.max, 3e38)
    hinges = np.concatenate([grid, (grid[1:] + grid[:-1]) / 2, [beyond, -beyond]]).astype(
        np.float32
    )
    with np.errstate(over="ignore"):
        near = [np.nextafter(hinges, np.float32(side)) for side in (-np.inf, np.inf)]
    return torch.from_numpy(np.concatenate([hinges, *near, [0.0, -0.0, 1e-45]]).astype(np.float32))


@pytest.mark.parametrize(
    "known", [*SCALED, Format.parse("int4_full"), Format.parse("uint4")], ids=str
)
def test_every_code_and_midpoint(known: Format) -> None:
    x = points(known.bare)
    ours, spec = (verb(x, known, scale=1.0) for verb in (fake_quantise, formats.fake_quantise))
    assert torch.equal(ours, spec)
    assert torch.equal(torch.signbit(ours), torch.signbit(spec))


@pytest.mark.parametrize(
    "name", ["bf16", "fp16", "tf32", "e3m4", "int4~sr", "e2m1~sr", "int4~dither", "nf4~sr"]
)
def test_formats_without_a_scale_and_random_rounding(name: str) -> None:
    known = Format.parse(name)
    x = points(known) if known.levels and known.levels < 2**16 else X
    uniform = (
        torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) if known.rounding else None
    )
    options = {"random": uniform, "scale": 1.0 if known.rounding else None}
    assert torch.equal(
        fake_quantise(x, known, **options), formats.fake_quantise(x, known, **options)
    )


@pytest.mark.parametrize("mark", ["", "/row", "/16"])
@pytest.mark.parametrize(
    "name",
    [
        "int4",
        "e4m3",
        "uint4",
        "ternary",
        "mxfp4",
        "nvfp4",
        "nf4",
        "int3+pow2",
        "int4+had",
        "nf4+clip",
    ],
)
def test_scales_of_groups(name: str, mark: str) -> None:
    name, _, rest = name.partition("+")
    known = Format.parse(f"{name}{mark}{'+' if rest else ''}{rest}")
    assert torch.equal(fake_quantise(X, known), formats.fake_quantise(X, known))
    assert torch.equal(fake_quantise(X, known, compiled=False), formats.fake_quantise(X, known))


def test_shapes_and_types_may_change_from_call_to_call() -> None:
    for shape in [(8, 32), (4, 8, 16), (64,), (3, 7), (1, 128), (5, 5, 5)]:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        for dtype in (torch.float32, torch.float64, torch.bfloat16):
            assert torch.equal(
                fake_quantise(x.to(dtype), "int4/row", check=False),
                formats.fake_quantise(x.to(dtype), "int4/row", check=False),
            )


@pytest.mark.parametrize("lengths", [(2, 4), (64, 128)])
def test_rotated_formats_take_any_length(lengths: tuple[int, ...]) -> None:
    for length in lengths:
        x = torch.randn((4, length), generator=torch.Generator().manual_seed(0))
        assert torch.equal(
            fake_quantise(x, "int4/row+had"), formats.fake_quantise(x, "int4/row+had")
        )


def test_more_shapes_than_programs_still_round() -> None:
    for rows in (1, 2, 3):
        for length in (1, 2, 5):
            x = torch.randn((rows, length), generator=torch.Generator().manual_seed(0))
            for scale in (None, 0.5, torch.full((rows, 1), 0.5), torch.full((length,), 0.5)):
                found = fake_quantise(x, "int9/row", scale=scale)
                assert torch.equal(found, formats.fake_quantise(x, "int9/row", scale=scale))


def test_the_gradient_passes_straight_through() -> None:
    x = X.clone().requires_grad_()
    weights = torch.randn(X.shape, generator=torch.Generator().manual_seed(2))
    (fake_quantise(x, "int4/row+had") * weights).sum().backward()
    assert torch.equal(x.grad, weights)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["int4/row", "vec(0.1)", "fp", "int4/row+clip"])
def test_a_result_can_be_written_into_memory_that_is_there(name: str, dtype: torch.dtype) -> None:
    x, out = X.to(dtype), torch.full(X.shape, 7.0, dtype=dtype)
    seed = 0 if "(" in name else None
    check = dtype == torch.float32
    assert fake_quantise(x, name, random=seed, out=out, check=check) is out
    assert torch.equal(out, formats.fake_quantise(x, name, random=seed, check=check))


@pytest.mark.parametrize("name", ["int4/row", "nf4", "e4m3", "int4/row+clip"])
def test_a_tensor_can_be_rounded_in_place(name: str) -> None:
    x = torch.randn((512, 512), generator=torch.Generator().manual_seed(0))
    want = formats.fake_quantise(x, name)
    assert fake_quantise(x, name, out=x) is x
    assert torch.equal(x, want)


@pytest.mark.parametrize("name", ["int4@quest", "int4/row@lsq", "int4@foo", "nf4@gptq"])
def test_methods_of_others_are_refused(name: str) -> None:
    method = name.partition("@")[2]
    with pytest.raises(
        ValueError, match=rf"^fake_quantise rounds to nearest \(@rtn or @ste\), not by '@{method}'"
    ):
        fake_quantise(X, name)
    assert torch.equal(fake_quantise(X, "int4@ste"), fake_quantise(X, "int4@rtn"))


def test_own_quantisers_run_as_they_are() -> None:
    custom_format("tenths", 8, lambda x: (x * 10).round() / 10, replace=True)
    assert torch.equal(fake_quantise(X, "tenths"), (X * 10).round() / 10)


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.ones(3), {}, "cannot round a ndarray here; isoloss.formats.fake_quantise takes arrays"),
        (
            X,
            {"out": X[:2]},
            "out is torch.float32 of shape (2, 64) on cpu; it must be torch.float32 of shape (16, "
            "64) on cpu",
        ),
        (
            X[:, :16],
            {"out": X.clone()[:, :16]},
            "out is not contiguous, so nothing can be written into it row by row; pass "
            "out.contiguous()",
        ),
        (
            X.clone().requires_grad_(),
            {"out": X.clone()},
            "a result written into out has no gradient; leave out= away, or use torch.no_grad()",
        ),
        (X * float("nan"), {}, "cannot round to 'int4/row': the array holds NaN or infinity"),
        (
            torch.arange(4),
            {},
            "cannot round numbers of type int64; types are float16, bfloat16, float32, float64",
        ),
    ],
)
def test_what_is_refused(x: torch.Tensor, options: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        fake_quantise(x, "int4/row", **options)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_without_a_compiler_it_says_what_to_do() -> None:
    message = r"^torch.compile found no C\+\+ compiler; install g\+\+, or pass compiled=False$"
    with config.patch({"cpp.cxx": ("no-such-compiler",)}), pytest.raises(ValueError, match=message):
        fake_quantise(X, "int11/row")
    assert fake_quantise(X, "int11/row", compiled=False).shape == X.shape
