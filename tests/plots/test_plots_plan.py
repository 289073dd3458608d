"""Every figure of a fitted, a published and a withheld plan, from a file as from memory."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from isoloss.fits import Fit
from isoloss.formats import Precision
from isoloss.laws import preset
from isoloss.plans import Budget, Plan, PlanError, load, plan
from isoloss.plots import Figure, PlotError, kinds, plot
from isoloss.runs import nearest_models

BITS = ["w4 a4 kv4", "w6 a6 kv6", "w7 a7 kv7", "bf16"]
SERVED = ["bf16", *(f"bf16 -> w{b}" for b in (3, 4, 6))]


@pytest.fixture(scope="module")
def plans(fitted: Fit) -> dict[str, Plan]:
    return {
        "published": plan("kumar2024", Budget("1e18 flop"), "linear-bits", precision=BITS),
        "fitted": plan(fitted, Budget("1e18 flop"), "linear-bits"),
        "withheld": plan("published", Budget("1e23 flop", memory="80 GB"), "h100"),
        "served": plan(
            "kumar2024",
            Budget("1e20 flop", served="100B", serve_rate="2000 tokens/s at 8B"),
            "h100",
            precision=SERVED,
        ),
        "money": plan(fitted, Budget(money="20 USD", price=2.0, params="100M"), "h100"),
        "memory": plan(
            "kumar2024", Budget("1e10 bits"), "memory-bits", precision=["fp -> w4", "fp -> w7"]
        ),
        "mixed": plan(
            "kumar2024", Budget("1e20 flop"), "h100", precision=[*BITS, "w5 q2", "w5 w.head:bf16"]
        ),
        "unseen": plan("kumar2024", Budget("1e20 flop"), "h100", precision="w5 w.head:bf16"),
        "held": plan("kumar2024", Budget(params="100M", tokens="2B"), "h100", precision=BITS),
    }


def words(figure: Figure) -> str:
    return "\n".join(t.get_text().replace("\n", " ") for t in figure.figure.findobj(Text))


def drawable(found: Plan) -> list[str]:
    absent = {"frontier": found.charts.frontier is None, "tokens": found.charts.serving is None}
    return [kind for kind in kinds()["Plan"] if not absent.get(kind, False)]


@pytest.mark.parametrize(
    "name", ["published", "fitted", "withheld", "served", "money", "memory", "held"]
)
def test_every_kind_is_drawn_and_a_file_gives_the_same_bytes(
    plans, name: str, tmp_path: Path
) -> None:
    found = plans[name]
    again = load(found.save(tmp_path / "plan.json"))
    assert again.question is None
    for kind in drawable(found):
        one, two = io.BytesIO(), io.BytesIO()
        for each, buffer in ((found, one), (again, two)):
            buffer.write(plot(each, kind=kind)._repr_svg_().encode())
        assert one.getvalue() == two.getvalue(), kind
    assert again.save(tmp_path / "b.json").read_bytes() == (tmp_path / "plan.json").read_bytes()


def test_the_default_names_the_recommendation(plans) -> None:
    text = words(plot(plans["published"]))
    assert "169M params on 2.25B tokens, int7" in text
    assert "region of the runs" in text
    assert "best in" not in text


def test_a_fitted_plan_shows_its_replicates_and_runs(plans) -> None:
    text = words(plot(plans["fitted"]))
    for said in ("each replicate planned again", "fitted runs", "params, tokens, best in"):
        assert said in text


def test_a_withheld_plan_says_so_in_title_and_caption(plans) -> None:
    figure = plot(plans["withheld"])
    assert "No single recommendation; least expected loss at" in words(figure)
    assert "Withheld: " in figure.caption
    assert "most that can be served" in words(figure)


def test_the_frontier_passes_through_the_plan_and_falls(plans) -> None:
    for name in ("published", "served", "money"):
        front, first = plans[name].charts.frontier, plans[name].choices[0]
        curve = front.curves[0]
        assert curve.precision == first.precision
        at = np.interp(np.log(front.asked), np.log(front.cost), curve.loss)
        assert at == pytest.approx(first.loss, rel=2e-3)
        assert (np.diff(curve.loss) < 1e-12).all()


def test_each_point_of_the_frontier_is_a_plan_of_its_own(plans) -> None:
    front = plans["published"].charts.frontier
    for i in (0, 10, 24):
        budget = Budget(float(front.cost[i]))
        other = plan("kumar2024", budget, "linear-bits", precision=BITS, extrapolate=True)
        losses = {c.precision: (c.loss, c.params, c.tokens) for c in other.choices}
        for curve in front.curves:
            assert losses[curve.precision] == pytest.approx(
                (curve.loss[i], curve.params[i], curve.tokens[i]), rel=1e-6
            )


def test_the_surface_is_the_law(plans) -> None:
    s = plans["published"].charts.surface
    law = preset("kumar2024")
    for i, j in ((0, 0), (31, 7), (59, 59)):
        assert s.loss[i, j] == pytest.approx(
            float(law(s.params[i], s.tokens[j], s.precision)), rel=1e-12
        )
    asked = s.limits[s.factors.index(1.0)]
    bits = float(Precision(s.precision).bits("w"))
    np.testing.assert_allclose(6 * s.limit_params * asked * bits / 16, 1e18, rtol=1e-9)


def test_the_curves_of_serving_turn_at_the_critical_tokens(plans) -> None:
    serving = plans["served"].charts.serving
    assert [s.precision for s in serving.before] == ["bf16"]
    assert serving.before[0].critical == float("inf")
    for s in serving.after:
        ratio = serving.tokens[int(np.argmin(s.loss))] / min(s.critical, serving.tokens[-1])
        assert 1 / 1.22 < ratio < 1.22
    assert "more tokens hurt from here on" in words(plot(plans["served"], kind="tokens"))


def test_the_laws_side_by_side(plans) -> None:
    text = words(plot(plans["withheld"], kind="laws"))
    assert [each.law for each in plans["withheld"].by_law if each.law not in text] == []


def test_a_frontier_marks_where_the_runs_are(plans) -> None:
    assert "inside the runs of every law" in words(plot(plans["published"], kind="frontier"))
    assert "No plan here lies inside the runs" in plot(plans["withheld"], kind="frontier").caption


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        (
            "published",
            "tokens",
            r"^no precision of this plan is rounded after training; give some that are",
        ),
        ("held", "frontier", r"^this plan spends nothing that could be more or less"),
        (
            "held",
            "pie",
            r"^cannot plot kind 'pie' of a Plan; kinds are plan, frontier, laws, tokens$",
        ),
    ],
)
def test_what_a_plan_lacks_is_one_sentence(plans, name: str, kind: str, said: str) -> None:
    with pytest.raises(PlotError, match=said) as caught:
        plot(plans[name], kind=kind)
    assert "\n" not in str(caught.value)


def test_what_no_law_sees_has_no_loss_in_a_figure(plans) -> None:
    figure = plot(plans["mixed"])
    said = words(figure)
    assert "at least" in said
    assert "unknown" in said
    assert "nan" not in said
    axes = next(a for a in figure.figure.axes if a.get_xlabel().startswith("expected"))
    drawn = [line for line in axes.get_lines() if line.get_marker() != "None"]
    assert len(drawn) == len(BITS) + 1  # the bound, and no place for what is unknown
    assert [line.get_marker() for line in drawn][-1] == ">"
    assert "No law sees 'w5 w.head:bf16'" in words(plot(plans["unseen"]))
    with pytest.raises(PlotError, match=r"no law sees 'w5 w.head:bf16', so this plan has no fr"):
        plot(plans["unseen"], kind="frontier")


def test_a_plan_without_laws_or_charts_says_so(plans) -> None:
    from dataclasses import replace

    with pytest.raises(PlanError, match="has lost the laws it was made from"):
        plot(replace(plans["published"], question=None))


def test_published_models_stand_in_the_picture_and_in_its_legend() -> None:
    found = plan("kumar2024", Budget(params="60B", tokens="1T"), "h100", precision="bf16")
    figure = plot(found)
    (left,) = (axes for axes in figure.figure.axes if axes.get_xlabel() == "params")
    marks = [line for line in left.lines if line.get_marker() == "d"]
    places = {(float(m.get_xdata()[0]), float(m.get_ydata()[0])) for m in marks}  # type: ignore[index]
    near = nearest_models(60e9, 1e12)
    assert places == {(m.active, m.tokens) for m in near}
    named = ", ".join(f"{x} {m.name}" for x, m in zip("abcd", near, strict=True))
    assert f"Published models: {named}." in words(figure)
    letters = " ".join(t.get_text() for t in left.texts if set(t.get_text()) <= set("abcd "))
    assert sorted(letters.replace(" ", "")) == list("abcd")
    assert "published models (active params)" in words(figure)
    excess = plot(replace(found, metric="excess_risk", drawn=found.charts))
    assert "published models" not in words(excess)
