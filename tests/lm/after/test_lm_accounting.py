"""All weights of a model that is no model of ours: found in whatever form they stand, rounded along
the right axis, or refused by name.
"""

from __future__ import annotations

import re
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from isoloss.formats import Format, Precision, fake_quantise
from isoloss.lm import ModelError, quantised
from isoloss.lm.after.accounting import weights_of_model
from isoloss.lm.after.methods.gptq import gptq
from isoloss.lm.after.post_training import rounded_share
from isoloss.lm.after.scopes import apart_from

WIDTH, INNER, EXPERTS, VOCAB = 8, 12, 3, 20


class Experts(nn.Module):
    """Experts in a stack: (experts, outputs, inputs), or turned."""

    def __init__(self, turned: bool) -> None:
        super().__init__()
        shapes = ((INNER, WIDTH), (WIDTH, INNER))
        up, down = (shape[::-1] if turned else shape for shape in shapes)
        self.turned = turned
        self.up_proj = nn.Parameter(torch.randn(EXPERTS, *up))
        self.down_proj = nn.Parameter(torch.randn(EXPERTS, *down))
        self.up_bias = nn.Parameter(torch.randn(EXPERTS, INNER))

    def product(self, x: Tensor, weight: Tensor) -> Tensor:
        return x @ weight if self.turned else nn.functional.linear(x, weight)

    def forward(self, x: Tensor, chosen: Tensor) -> Tensor:
        out = torch.zeros_like(x)
        for k in range(EXPERTS):
            mine = chosen == k
            inner = self.product(x[mine], self.up_proj[k]) + self.up_bias[k]
            out[mine] = self.product(torch.relu(inner), self.down_proj[k])
        return out


class Mixture(nn.Module):
    """A layer in which a gate chooses an expert for each token."""

    def __init__(self, turned: bool) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = Experts(turned)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.experts(x, self.gate(x).argmax(-1))


class Turned(nn.Module):
    """A layer whose weight is (inputs, outputs), as those of GPT-2."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = (
            nn.Parameter(torch.randn(WIDTH, WIDTH)),
            nn.Parameter(torch.zeros(WIDTH)),
        )

    def forward(self, x: Tensor) -> Tensor:
        flat = torch.addmm(self.bias, x.reshape(-1, WIDTH), self.weight)
        return flat.reshape(x.shape)


class Convolved(nn.Module):
    """A convolution along tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1d = nn.Conv1d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1d(x.mT).mT


class Gathered(nn.Module):
    """A matrix for each token, looked up in a stack."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = nn.Parameter(torch.randn(EXPERTS, WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        chosen = (x.sum(-1) > 0).long()
        return torch.einsum("rtoi,rti->rto", self.stack[chosen], x)


class Causal(nn.Module):
    """Tokens looked up, a layer of some kind, logits."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.config = SimpleNamespace(vocab_size=VOCAB)
        self.embed, self.layer = nn.Embedding(VOCAB, WIDTH), layer
        self.lm_head = nn.Linear(WIDTH, VOCAB, bias=False)

    def forward(self, tokens: Tensor, use_cache: bool = False) -> Any:
        return SimpleNamespace(logits=self.lm_head(self.layer(self.embed(tokens))))

    def get_input_embeddings(self) -> nn.Module:
        return self.embed

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head


def causal(layer: type[nn.Module] | nn.Module, *args: Any) -> Causal:
    torch.manual_seed(0)
    made = Causal(layer if isinstance(layer, nn.Module) else layer(*args))
    return made.eval()


def tokens(rows: int = 40) -> Tensor:
    return torch.randint(0, VOCAB, (rows, 6), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("turned", [False, True])
def test_experts_in_a_stack_are_rounded_along_their_inputs(turned: bool) -> None:
    before = causal(Mixture, turned)
    after = quantised(before, "w4")
    for name in ("up_proj", "down_proj"):
        was, now = (getattr(m.layer.experts, name).detach() for m in (before, after))
        rows = was.mT if turned else was
        expected = torch.stack([fake_quantise(each.contiguous(), "int4/row") for each in rows])
        assert now.equal(expected.mT if turned else expected)
    assert after.layer.gate.weight.equal(before.layer.gate.weight)
    assert after.layer.experts.up_bias.equal(before.layer.experts.up_bias)


@pytest.mark.parametrize("turned", [False, True])
def test_each_expert_is_calibrated_on_the_tokens_that_it_takes(turned: bool) -> None:
    before = causal(Mixture, turned)
    after = quantised(before, "w3@gptq", tokens())
    with torch.no_grad():
        x = before.embed(tokens()).reshape(-1, WIDTH)
        chosen = before.layer.gate(x).argmax(-1)
        for k in range(EXPERTS):
            mine = x[chosen == k]
            weight = before.layer.experts.up_proj[k]
            weight = (weight.mT if turned else weight).contiguous()
            expected = gptq(weight, 2 * (mine.T @ mine).double(), Format.parse("int3/row"))
            found = after.layer.experts.up_proj[k]
            torch.testing.assert_close(found.mT if turned else found, expected)


@pytest.mark.parametrize("turned", [False, True])
def test_what_experts_take_is_rounded_too(turned: bool) -> None:
    before = causal(Mixture, turned)
    after = quantised(before, "a.up_proj:int4/row a.down_proj:int3/row")
    experts = before.layer.experts
    with torch.no_grad():
        x = before.embed(tokens())
        chosen = before.layer.gate(x).argmax(-1)
        expected = torch.zeros_like(x)
        for k in range(EXPERTS):
            mine = fake_quantise(x[chosen == k], "int4/row")
            inner = torch.relu(experts.product(mine, experts.up_proj[k]) + experts.up_bias[k])
            inner = fake_quantise(inner, "int3/row")
            expected[chosen == k] = experts.product(inner, experts.down_proj[k])
        found = after.layer(x)
    torch.testing.assert_close(found, x + expected)


@pytest.mark.parametrize("post", ["a4/row", "w8@smoothquant a4/row"])
def test_an_expert_that_no_token_comes_to_takes_nothing(post: str) -> None:
    before = causal(Mixture, False)
    after = quantised(before, post, tokens())
    for word in range(VOCAB):  # one token each time, so that the other experts have none
        assert after(torch.tensor([[word]])).logits.isfinite().all()


def test_a_router_is_rounded_where_it_is_named_alone() -> None:
    before = causal(Mixture, False)
    after = quantised(before, "w.router:int4")
    assert after.layer.gate.weight.equal(fake_quantise(before.layer.gate.weight, "int4/row"))
    assert after.layer.experts.up_proj.equal(before.layer.experts.up_proj)


def test_a_router_beside_a_stack_of_any_name_is_one() -> None:
    layer = Mixture(False)
    layer.pool = layer.experts
    del layer.experts
    layer.forward = lambda x: x + layer.pool(x, layer.gate(x).argmax(-1))
    found = weights_of_model(causal(layer))
    assert [m.scope for m in found.matrices if m.name == "layer.gate"] == ["router"]


def test_a_weight_with_inputs_first_is_rounded_along_them() -> None:
    before = causal(Turned)
    after = quantised(before, "w3")
    rows = before.layer.weight.detach().mT.contiguous()
    assert after.layer.weight.equal(fake_quantise(rows, "int3/row").mT)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (
            weight_norm(nn.Linear(WIDTH, WIDTH)),
            "'layer.parametrizations.weight.original0' cannot be rounded: what multiplies "
            "activations is computed from it; leave it as it is by 'w.layer:fp'",
        ),
        (
            Convolved(),
            "'layer.conv1d.weight' cannot be rounded: it is the kernel of a convolution; leave it "
            "as it is by 'w.conv1d:fp'",
        ),
        (
            Gathered(),
            "'layer.stack' cannot be rounded: what multiplies activations is computed from it",
        ),
    ],
)
def test_weights_that_cannot_be_rounded_are_not_left_in_silence(
    layer: nn.Module, said: str
) -> None:
    with pytest.raises(ModelError) as caught:
        quantised(causal(layer), "w2")
    assert said in str(caught.value)


def test_activations_that_meet_them_are_not_left_in_silence() -> None:
    model = causal(nn.Sequential(Convolved(), nn.Linear(WIDTH, WIDTH)))
    with pytest.raises(ModelError) as caught:
        quantised(model, "w4 a8 w.conv1d:fp")
    assert str(caught.value).startswith(
        "the activations that meet 'layer.0.conv1d.weight' cannot be rounded: it is the kernel of "
        "a convolution; leave them as they are by 'a.conv1d:fp'"
    )
    with pytest.raises(ModelError, match=r"^the activations that meet"):
        quantised(causal(weight_norm(nn.Linear(WIDTH, WIDTH))), "a8")
    plain, rounded = (
        quantised(model, f"w4 {post} w.conv1d:fp")(tokens()) for post in ("", "a4 a.conv1d:fp")
    )
    assert not plain.logits.equal(rounded.logits)


def test_weights_beyond_reach_can_be_left_by_name() -> None:
    model = causal(nn.Sequential(Convolved(), nn.Linear(WIDTH, WIDTH)))
    after = quantised(model, "w4 w.conv1d:fp")
    assert after.layer[0].conv1d.weight.equal(model.layer[0].conv1d.weight)
    assert after.layer[1].weight.equal(fake_quantise(model.layer[1].weight, "int4/row"))


class Aside(nn.Module):
    """Blocks and, in plain lists, what torch does not see."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.extra = [nn.Linear(WIDTH, WIDTH)]
        self.h = [{"x": [nn.Linear(WIDTH, WIDTH)]}]
        self.blocks[1].side = [nn.Linear(WIDTH, WIDTH)]  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        for block in (*self.blocks, *self.extra, *self.h[0]["x"], *self.blocks[1].side):
            x = block(x)
        return x


class Holder:
    """A plain object."""


class Slotted:
    """An object without a dict."""

    __slots__ = ("own", "unset")


def _held(how: str) -> tuple[Any, Any, str]:
    """A holder of a matrix, how it is applied, and the name of the matrix below 'f'."""
    lin, w = nn.Linear(WIDTH, WIDTH), torch.randn(WIDTH, WIDTH)
    if how == "object":
        holder: Any = Holder()
        holder.lin, holder.me = lin, holder
        return holder, lambda f, x: f.lin(x), "lin.weight"
    if how == "deep":
        holder, holder_in = Holder(), SimpleNamespace(own=[w])
        holder.deep = {"a": holder_in}  # type: ignore[attr-defined]
        return holder, lambda f, x: x @ f.deep["a"].own[0], "deep.a.own.0"
    if how == "slots":
        slotted = Slotted()
        slotted.own = w
        return slotted, lambda f, x: x @ f.own, "own"
    if how == "default":
        return lambda x, m=w: x @ m, lambda f, x: f(x), "m"
    made = {
        "partial": (partial(nn.functional.linear, weight=w), "weight"),
        "partial of a method": (partial(lin.forward), "func.weight"),
        "closure": (lambda x: x @ w, "w"),
        "closure over a layer": (lambda x: lin(x), "lin.weight"),
        "method": (lin.forward, "weight"),
    }
    return made[how][0], lambda f, x: f(x), made[how][1]


@pytest.mark.parametrize(
    "how",
    [
        "object", "deep", "slots", "default", "partial", "partial of a method", "closure",
        "closure over a layer", "method",
    ],
)  # fmt: skip
def test_matrices_out_of_the_sight_of_torch_are_refused_by_name(how: str) -> None:
    class Out(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(WIDTH, WIDTH)
            self.f, self.apply_f, _ = _held(how)

        def forward(self, x: Tensor) -> Tensor:
            return self.apply_f(self.f, self.mix(x))

    model = causal(Out())
    name = f"layer.f.{_held(how)[2]}"
    with pytest.raises(ModelError, match=f"^'{re.escape(name)}' cannot be rounded: it"):
        quantised(model, "w3")
    found = weights_of_model(model)
    assert list(found.beyond) == [name]
    assert found.sizes[name] == WIDTH * WIDTH


def test_objects_that_hold_registered_layers_or_no_weight_change_nothing() -> None:
    class Known(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(WIDTH, WIDTH)
            self.me = SimpleNamespace(lin=self.mix, kind=nn.Linear, room=torch, scale=2.0)
            self.again, self.over = self.mix.forward, lambda x: self.mix(x)

        def forward(self, x: Tensor) -> Tensor:
            return self.over(x)

    model = causal(Known())
    chain = model.layer.me
    for _ in range(5000):  # however deep
        chain.next = SimpleNamespace()
        chain = chain.next
    found = weights_of_model(model)
    assert not found.beyond
    assert [m.name for m in found.matrices] == ["layer.mix", "lm_head"]


def test_a_closure_over_its_module_is_refused_as_a_copy_would_run_the_original() -> None:
    class Over(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(WIDTH, WIDTH)
            self.over = lambda x: self.mix(x)

        def forward(self, x: Tensor) -> Tensor:
            return self.over(x)

    name = r"layer\.over\.self\.mix\.weight"
    with pytest.raises(ModelError, match=f"^'{name}' cannot be rounded: .* torch does not see"):
        quantised(causal(Over()), "w3")


def test_the_advised_scope_leaves_nothing_else() -> None:
    model = causal(Aside())
    with pytest.raises(ModelError) as caught:
        quantised(model, "w3")
    assert "as they are by 'w.extra:fp w.x:fp w.side:fp' " in str(caught.value)
    after = quantised(model, "w3 w.side:fp w.extra:fp w.x:fp")
    for own, block in zip(model.layer.blocks, after.layer.blocks, strict=True):
        assert block.weight.equal(fake_quantise(own.weight, "int3/row"))


class Inside(nn.Module):
    """A layer out of torch's sight whose names are those of another."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({"extra": nn.ModuleDict({"x": nn.Linear(WIDTH, WIDTH)})})
        self.extra = {"x": nn.Linear(WIDTH, WIDTH)}

    def forward(self, x: Tensor) -> Tensor:
        return self.extra["x"](self.blocks["extra"]["x"](x))


def test_the_advised_scope_is_never_a_bare_number() -> None:
    taken = ("up", "layers.0.up", "layers.0", "0", "h")
    names = ("layers.0.weight", "layers.0", "weight", "0", "x", "0", "h")
    assert apart_from(["h", "0", "x", "0"], names, taken) == "x"
    assert apart_from(["h", "0", "x", "0"], names, (*taken, "x")) == "layers.0.weight"
    assert apart_from(["h", "0", "x", "0"], names, names) == "x"
    # where all names are those of others, what is left beside it is said
    model = causal(Inside())
    with pytest.raises(
        ModelError, match=r"by 'w\.x:fp', which leaves 'layer\.blocks\.extra\.x' too"
    ):
        quantised(model, "w3")


def test_a_scope_may_be_any_name_on_the_way() -> None:
    model = causal(nn.Sequential(Turned(), nn.Sequential(Turned())))
    after = quantised(model, "w4 w.1:fp")
    assert after.layer[1][0].weight.equal(model.layer[1][0].weight)
    assert not after.layer[0].weight.equal(model.layer[0].weight)


def test_every_tensor_of_two_axes_has_one_place() -> None:
    model = causal(nn.Sequential(Mixture(True), Turned(), Convolved()))
    found = weights_of_model(model)
    names = {each.name.partition("[")[0] for each in found.matrices}
    assert names == {
        "layer.0.gate", "layer.0.experts.up_proj", "layer.0.experts.down_proj", "layer.1", "lm_head"
    }  # fmt: skip
    assert found.tables == ("embed.weight",)
    assert found.apart == ("layer.0.experts.up_bias",)
    assert list(found.beyond) == ["layer.2.conv1d.weight"]
    assert [each.scope for each in found.matrices if each.name.endswith("gate")] == ["router"]


class Chooser(nn.Module):
    """A block list of linear layers with a name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.h = nn.ModuleList(
            nn.ModuleDict({"up": nn.Linear(8, 8), "down": nn.Linear(8, 8)}) for _ in range(3)
        )
        self.embed, self.lm_head = nn.Embedding(20, 8), nn.Linear(8, 20)

    def get_input_embeddings(self) -> nn.Module:
        return self.embed

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        for block in self.h:
            x = x + block["down"](torch.relu(block["up"](x)))
        return self.lm_head(x)


def test_blocks_are_named_whatever_the_family_calls_them() -> None:
    torch.manual_seed(0)
    model = Chooser()
    post = "w8 w.down:int4 w.layers.1:int3 w.layers.2.up:int2 w.last1:fp"
    after = quantised(model, post)
    formats = [("int8", "int4"), ("int3", "int3"), ("int2", None)]
    for k, both in enumerate(formats):
        for name, known in zip(("up", "down"), both, strict=True):
            weight = model.h[k][name].weight.detach()
            expected = weight if known is None else fake_quantise(weight, f"{known}/row")
            assert after.h[k][name].weight.equal(expected), (k, name)
    assert after.lm_head.weight.equal(model.lm_head.weight)
    fewer = quantised(model, "w.first3:int2 w.last1:fp")  # the name of fewer blocks is narrower
    assert fewer.h[2].up.weight.equal(model.h[2].up.weight)
    assert not fewer.h[1].up.weight.equal(model.h[1].up.weight)
    with pytest.raises(ModelError, match=r"the model has no 'w\.layers\.3'"):
        quantised(model, "w4 w.layers.3:int3")
    with pytest.raises(ModelError, match=r"the model has no 'w\.first4'"):
        quantised(model, "w4 w.first4:int3")


class Tied(nn.Module):
    """A head that is the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mix = nn.Embedding(20, 16), nn.Linear(16, 16)
        self.lm_head = nn.Linear(16, 20, bias=False)
        self.lm_head.weight = self.embed.weight

    def get_input_embeddings(self) -> nn.Module:
        return self.embed

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.lm_head(self.mix(self.embed(tokens)))
        return logits


@pytest.mark.parametrize("known", ["int4_full", "ternary", "int3+clip", "int4"])
def test_a_tied_head_is_rounded_once(known: str) -> None:
    torch.manual_seed(0)
    model = Tied()
    after = quantised(model, f"w.embedding:{known} w.head:{known}")
    assert after.lm_head.weight.equal(fake_quantise(model.embed.weight.detach(), f"{known}/row"))
    assert after.lm_head.weight is after.embed.weight


class HeadsBehind(nn.Module):
    """Queries of several heads from one parameter, inputs first."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.w, self.out = (
            nn.Embedding(20, 16),
            nn.Parameter(torch.randn(16, 4, 4)),
            nn.Linear(16, 20),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        heads = torch.einsum("btd,dhe->bthe", self.embed(tokens), self.w)
        logits: Tensor = self.out(heads.flatten(2))
        return logits


def test_what_has_its_inputs_first_of_three_axes_is_refused() -> None:
    torch.manual_seed(0)
    with pytest.raises(
        ModelError, match=r"'w' cannot be rounded: its inputs lie along its first axis"
    ):
        quantised(HeadsBehind(), "w4")
    found = quantised(model := HeadsBehind(), "w4 w.w:fp")
    assert found.out.weight.equal(fake_quantise(model.out.weight.detach(), "int4/row"))
    assert rounded_share(model, Precision("fp -> w4 w.w:fp")) == pytest.approx(20 / 36)


def test_a_name_inside_of_another_is_lifted() -> None:
    torch.manual_seed(0)
    model = Chooser()
    after = quantised(model, "w.h:int4 w.down:fp")
    for k, block in enumerate(model.h):
        assert after.h[k]["down"].weight.equal(block["down"].weight)
        assert not after.h[k]["up"].weight.equal(block["up"].weight)
