"""Networks against independent computations: the linear laboratory, autograd, samples, closed
forms.
"""

import subprocess
import sys

import numpy as np
import pytest
import torch

from isoloss.linear import SGD, Regression, excess_risk, stability_limit
from isoloss.linear.networks import (
    Network,
    gauss_newton,
    input_floors,
    network_limit,
    network_risks,
    simulate_networks,
    train_networks,
)
from isoloss.linear.networks.drawing import Layers, forward
from isoloss.linear.networks.training import gradients

LINEAR = Network(
    6, 1, teacher_width=1, activation="linear", second_layer=False, between=False, init=0.0
)
DESCENT = SGD(40, batch=3, step_size=0.15)
# fmt: off
NOISY = [
    "fp", "d:add(0.1)", "d:vec(0.1)", "d:coord(0.1)", "l:add(0.3)", "l:vec(0.3)", "w:add(0.1)",
    "w:coord(0.1)", "a:add(0.3)", "a:vec(0.3)", "a:coord(0.3)", "g:add(0.3)", "g:vec(0.3)",
    "d:vec(0.1) l:coord(0.1) w:add(0.1) a:vec(0.1) g:coord(0.1)",
]
# fmt: on
SMALL = Network(5, 4, teacher_width=3)


@pytest.fixture(scope="module")
def as_linear() -> dict[str, tuple[float, float]]:
    """Mean and standard error of the risk of each precision, in networks that are linear."""
    found = network_risks(train_networks(LINEAR, DESCENT, NOISY, replicates=2500))
    return dict(zip(NOISY, zip(found.mean[-1], found.standard_error[-1], strict=True), strict=True))


@pytest.mark.parametrize("precision", NOISY)
def test_a_linear_network_has_the_exact_risk_of_the_laboratory(
    as_linear: dict[str, tuple[float, float]], precision: str
) -> None:
    problem = Regression(6, noise_var=0.25, target="isotropic")
    exact = excess_risk(problem, DESCENT, precision, "last").value
    mean, error = as_linear[precision]
    assert error < 0.06 * exact
    assert abs(mean - exact) < 4 * error


def test_real_formats_at_fixed_scales_have_the_risk_of_the_laboratory() -> None:
    from isoloss.linear import Scales

    scales = Scales(d=0.5)
    trained = train_networks(LINEAR, DESCENT, ["d:int6~sr"], replicates=1500, scales=scales)
    found = network_risks(trained)
    problem = Regression(6, noise_var=0.25, target="isotropic")
    exact = excess_risk(problem, DESCENT, "d:int6~sr", "last", scales=scales).value
    assert abs(found.mean[-1, 0] - exact) < 4 * found.standard_error[-1, 0] < 0.3 * exact


@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("between", [True, False])
def test_gradients_without_noise_are_those_of_autograd(activation: str, between: bool) -> None:
    network = Network(5, 4, activation=activation, between=between)
    random = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(shape, generator=random, dtype=torch.float64)  # noqa: E731
    layers = Layers(draw(1, 1, 2, 4, 5).requires_grad_(), draw(1, 1, 2, 4).requires_grad_())
    x, y = draw(2, 7, 5), draw(2, 7)
    loss = 0.5 * ((forward(network, layers, x) - y) ** 2).mean(dim=-1).sum()
    loss.backward()
    idle = dict.fromkeys("dlwag", lambda tensor, shared: tensor)
    with torch.no_grad():
        found = gradients(network, layers, x, y, idle)  # type: ignore[arg-type]
    torch.testing.assert_close(found[0], layers.first.grad)
    torch.testing.assert_close(found[1], layers.second.grad)


@pytest.mark.parametrize(
    ("inputs", "precision", "noise"),
    [("clean", "d:add(0.3)", 0.0), ("in use", "d:add(0.3)", 0.3), ("in use", "fp", 0.0)],
)
def test_the_exact_risk_is_that_of_many_samples(inputs: str, precision: str, noise: float) -> None:
    trained = train_networks(SMALL, SGD(30, 4, 0.2), [precision], replicates=2)
    random = torch.Generator().manual_seed(1)
    x = torch.randn((2, 100_000, 5), generator=random, dtype=torch.float64)
    x = x * torch.tensor(SMALL.lam).sqrt()
    rounded = x + noise**0.5 * torch.randn(x.shape, generator=random, dtype=torch.float64)
    apart = forward(SMALL, trained.weights(0, 0), rounded) - forward(SMALL, trained.teacher, x)
    losses = 0.5 * apart**2
    error = losses.std(dim=1) / 100_000**0.5
    found = network_risks(trained, inputs)
    assert not any(found.sampled)
    assert (np.abs(found.values[0, 0] - losses.mean(dim=1).numpy()) < 4 * error.numpy()).all()


@pytest.mark.parametrize("precision", ["d:vec(0.01)", "d:coord(0.01)"])
def test_what_a_factor_costs_in_use_is_sampled(precision: str) -> None:
    """At one input a shared factor is a factor by element, and ReLU lets it through: it costs half
    of eps E f^2.
    """
    network = Network(1 if "coord" in precision else 5, 4, teacher_width=3)
    trained = train_networks(network, SGD(30, 4, 0.2), [precision], replicates=200)
    found = network_risks(trained, "in use", tests=2000)
    added = found.values[0, 0] - network_risks(trained).values[0, 0]
    nothing = Layers(0 * trained.teacher.first, trained.teacher.second)
    alone = network_risks(type(trained)(**{**vars(trained), "teacher": nothing}), "clean").values[
        0, 0
    ]
    assert found.sampled == (True,)
    assert added.mean() == pytest.approx(0.01 * alone.mean(), rel=0.1)


def test_the_gauss_newton_matrix_is_that_of_normal_inputs() -> None:
    """Blocks E 1(z > 0) 1(z' > 0) x x' in closed form, of exact inputs and of noisy ones."""
    network = Network(3, 3, second_layer=False)
    trained = train_networks(network, SGD(1, 1, 1e-9), replicates=1)
    weights = trained.weights(0, 0)
    first, second = weights.first[0].numpy(), weights.second[0].numpy()
    for precision, noise in (("fp", 0.0), ("d:add(0.2)", 0.2)):
        h = np.diag(network.lam + noise)
        matrix = np.block(
            [[_block(h, u, v) * s * t / 3 for v, t in zip(first, second, strict=True)]
             for u, s in zip(first, second, strict=True)]
        )  # fmt: skip
        found = gauss_newton(network, weights, precision, inputs=200_000).values[0]
        exact = np.sort(np.linalg.eigvalsh(matrix))[::-1]
        np.testing.assert_allclose(found, exact, rtol=0.03, atol=1e-4)


def _block(h: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    if np.allclose(u, v):
        return h / 2
    both = np.stack([u / np.sqrt(u @ h @ u), v / np.sqrt(v @ h @ v)])
    covariance = both @ h @ both.T
    rho = covariance[0, 1]
    share = 0.25 + np.arcsin(rho) / (2 * np.pi)
    root = np.sqrt(1 - rho**2) / (2 * np.pi)
    moments = np.array([[share + rho * root, rho * share + root]] * 2)
    moments[1] = moments[1][::-1]
    along = h @ both.T @ np.linalg.inv(covariance)
    return share * (h - along @ covariance @ along.T) + along @ moments @ along.T


def test_the_limit_of_a_linear_network_is_that_of_the_laboratory() -> None:
    found = network_limit(LINEAR, batch=4)
    assert found == pytest.approx(stability_limit(Regression(6), SGD(1, 4)), rel=0.1)


def test_the_floor_of_a_linear_teacher_is_that_of_the_laboratory() -> None:
    trained = train_networks(LINEAR, SGD(1, 1, 0.1), replicates=3)
    target = trained.teacher.first[:, 0].numpy() * trained.teacher.second.numpy()
    lam = LINEAR.lam
    exact = 0.5 * (target**2 * lam * 0.1 / (lam + 0.1)).sum(axis=1)
    np.testing.assert_allclose(input_floors(trained, 0.1), exact)


def test_the_floor_of_a_relu_teacher_is_half_its_variance_given_rounded_inputs() -> None:
    trained = train_networks(SMALL, SGD(1, 1, 0.1), replicates=2)
    random = torch.Generator().manual_seed(1)
    draw = lambda: torch.randn((2, 200_000, 5), generator=random, dtype=torch.float64)  # noqa: E731
    lam, eps = torch.tensor(SMALL.lam), 0.3
    seen = (lam + eps).sqrt() * draw()
    # Two independent inputs that may be behind what is seen: half their mean square distance.
    behind = [seen * lam / (lam + eps) + (lam * eps / (lam + eps)).sqrt() * draw() for _ in "ab"]
    one, other = (forward(SMALL, trained.teacher, x) for x in behind)
    losses = 0.25 * (one - other) ** 2
    error = losses.std(dim=1).numpy() / 200_000**0.5
    apart = np.abs(input_floors(trained, eps) - losses.mean(dim=1).numpy())
    assert (apart < 4 * error).all()


def test_precisions_share_their_random_numbers() -> None:
    descent = SGD(20, 4, 0.1)
    alone = train_networks(SMALL, descent, ["fp"], replicates=3)
    many = ["fp", "d:add(1e-12)", "w:vec(0.1)", "fp", "a:int8"]
    among = train_networks(SMALL, descent, many, replicates=3)
    for k in (0, 3):
        assert torch.equal(among.weights(0, k).first, alone.weights(0, 0).first)
    torch.testing.assert_close(
        among.layers[0].first[1], among.layers[0].first[0], rtol=0, atol=1e-4
    )
    assert not torch.allclose(among.layers[0].first[2], among.layers[0].first[0])
    again = train_networks(SMALL, descent, ["w:vec(0.1)"], replicates=3)
    assert torch.equal(again.layers[0].first[0], among.layers[0].first[2])


def test_dimensions_share_teachers_and_starts() -> None:
    small, large = (
        train_networks(Network(dim, 4), SGD(1, 1, 0.1), at=[0], replicates=3) for dim in (3, 5)
    )
    assert torch.equal(small.teacher.first, large.teacher.first[..., :3])
    assert torch.equal(small.teacher.second, large.teacher.second)
    assert torch.equal(small.weights(0, 0).first, large.weights(0, 0).first[..., :3])


def test_both_signs_of_noise_cancel_to_first_order() -> None:
    asked, descent = ["fp", "l:add(1e-4)"], SGD(20, 4, 0.05)
    trained = train_networks(SMALL, descent, asked, replicates=40, both_signs=True)
    first = trained.layers[0].first
    apart = (first[1] - first[0, :1]).flatten(2)
    # The median, since a neuron that turns on or off for one sample breaks the symmetry.
    left = (apart[0] + apart[1]).norm(dim=-1) / apart[0].norm(dim=-1)
    assert float(left.median()) < 0.01
    both, single = (
        np.median(np.abs(network_risks(each).increments()[-1, 1]))
        for each in (trained, train_networks(SMALL, descent, asked, replicates=40))
    )
    assert both < 0.1 * single


def test_a_grid_becomes_a_table_of_runs() -> None:
    grid = {"precision": ["fp", "d:add(0.1)"], "samples": [40, 80], "width": [2, 4]}
    runs = simulate_networks(SMALL, grid, SGD(1, 4, 0.1), inputs="in use", replicates=12)
    assert len(runs) == 8
    assert set(runs["metric"]) == {"excess_risk"}
    assert sorted(set(runs["params"])) == [2 * 6, 4 * 6]
    trained = train_networks(Network(5, 2, teacher_width=3), SGD(10, 4, 0.1), ["fp", "d:add(0.1)"],
                             replicates=12)  # fmt: skip
    found = network_risks(trained, "in use")
    frame = runs.frame()
    first = frame.filter((frame["width"] == 2) & (frame["tokens"] == 40))
    np.testing.assert_allclose(first["loss"].to_numpy(), found.mean[-1])
    np.testing.assert_allclose(first["loss_se"].to_numpy(), found.standard_error[-1])


def test_the_laboratory_loads_no_torch_and_networks_say_that_they_need_it() -> None:
    code = (
        "import sys, isoloss.linear as l; print(*l.STUDIES); print('torch' in sys.modules)\n"
        "sys.modules['torch'] = None\n"
        "try: l.study('network-batch')\nexcept ModuleNotFoundError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    studies, loaded, said = run.stdout.splitlines()
    assert "network-batch" in studies.split()
    assert loaded == "False"
    assert said.endswith("need torch; pip install 'isoloss[lm]'")
