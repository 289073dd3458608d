"""What seven strangers change: the files that they write, the lines that they edit, and checks.

benchmarks/strangers.py makes each change in a clone and runs its check there, in a new process and
after `OPENING`. MINE is a module outside the package, with what it should make possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PACKAGE = "src/isoloss"
#: What every check may use: the clone's isoloss, its commands, and a call that must be refused.
OPENING = """
import contextlib, subprocess, sys
import numpy as np
import isoloss as il

def shell(*words):
    command = [sys.executable, "-m", "isoloss.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout

def refused(call, *words):
    try:
        call()
    except ValueError as error:
        assert all(word in str(error) for word in words) and "\\n" not in str(error), error
    else:
        raise AssertionError("it was accepted")

def python(code):
    subprocess.run([sys.executable, "-c", "import isoloss as il\\n" + code], check=True)

runs = il.read("simulated2024").where(precision=["bf16", "w3", "w4", "w8"])
budget = il.Budget(train="1e21 flop")
"""


@dataclass(frozen=True)
class Change:
    """What a stranger writes, and code that fails unless it works.

    Attributes
    ----------
    name
        What it is: "law", "machine".
    check
        Python code, run after `OPENING` in a new process that imports the clone.
    checked
        What the code looks at, in words.
    files
        New files: path and text.
    edits
        Lines that change in a file: path, the text that is there, the text in its place.
    """

    name: str
    check: str
    checked: str
    files: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[tuple[str, str, str], ...] = ()


LAW = '''"""A stranger's law: weights cost params, activations tokens, and a floor stays."""

from __future__ import annotations

from isoloss.formats import Format
from isoloss.laws.constant import amplitude, scale
from isoloss.laws.formula import Composed
from isoloss.laws.jet import Value
from isoloss.laws.law import Law
from isoloss.laws.terms import FormatLink, Penalty, Rounded, decaying, saturating


def hyperbolic(bits: float, half: Value) -> Value:
    """P^2 / (P^2 + half^2), P the bits of a part."""
    return bits**2 / (bits**2 + half * half)


def element_bits(known: Format) -> float:
    """The bits of an element, scales left out."""
    return known.bits


def laws() -> tuple[Law, ...]:
    """The form alone, to be fitted."""
    half = scale("half", "bits that keep half of the params", 0.01, 4.0, (0.2, 1.0), "bits")
    lost = scale("lost", "bits over which activations cost tokens", 0.1, 4.0, (0.5, 2.0), "bits")
    fall = scale("fall", "bits over which the floor falls by e", 0.1, 4.0, (0.5, 2.0), "bits")
    floor = amplitude("F", "size of the floor", "nats")
    formula = Composed(
        params_factor=(FormatLink("w", (half,), hyperbolic, read=element_bits),),
        tokens_factor=(saturating("a", lost),),
        penalties=(Penalty(floor, None, None, (decaying("w", fall),), Rounded("w")),),
    )
    title = "three terms, to be fitted"
    law = Law("stranger2026", formula, title=title, source="2601.00001", evidence="M")
    return (law.fix(kappa=1.0),)
'''

METHOD = '''"""AWQ-like: the inputs that are large get finer steps."""

from __future__ import annotations

from torch import Tensor

from isoloss.formats import Format, fake_quantise
from isoloss.lm.after.post_method import PostMethod


def scaled_channels(weight: Tensor, known: Format, seen: Tensor | None) -> Tensor:
    """The matrix (outputs, inputs), each column rounded at its scale by the inputs."""
    assert seen is not None
    scale = seen.abs().mean(0).clamp_min(1e-6).sqrt()
    rounded: Tensor = fake_quantise(weight * scale, known) / scale
    return rounded


METHOD = PostMethod("awqlike", scaled_channels, sees="inputs", layer_by_layer=False)
'''

FIGURE = '''"""How the losses of runs are spread."""

from __future__ import annotations

from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import NARROW, Sheet, settle
from isoloss.runs import Runs


@draws(Runs, "histogram", "how many runs have each loss")
def histogram_figure(runs: Runs) -> Figure:
    """Counts of runs in ten steps of loss."""
    text = f"{len(runs)} runs in ten steps of loss."
    canvas, grid = Sheet("Losses", text, (), NARROW, 2.6).open()
    canvas.add_subplot(grid[0]).hist([run.loss for run in runs], bins=10)
    return Figure(settle(canvas), "histogram", text)
'''

READER = '''"""Tables with bars between their columns."""

from isoloss.runs.intake.reader import READERS, Reader
from isoloss.runs.intake.readers.delimited import separated_by

READERS.register(".psv", Reader(separated_by("|")))
'''

COMMAND = '''"""``isoloss slug``: the file-name form of a precision."""

from __future__ import annotations

from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.manual import Example


def slug(
    precision: Annotated[
        str, typer.Argument(metavar="PRECISION", help="A spelling, as 'w4 a8'.", show_default=False)
    ],
) -> None:
    """Print the file-name form of a precision."""
    typer.echo(il.Precision(precision).slug)


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {"slug": (Example("isoloss slug 'w4/128 a8'", "the name of a file"),)}
'''

#: Outside the package: a law with a function of its own, and a format.
MINE = '''"""A law and a format of one's own."""
import numpy as np
import isoloss as il
from isoloss.laws import Composed, Constant, FormatLink, Law, register

def keeps(bits, half):
    return 1 - np.exp(-bits / half)

def bits(known):
    return known.bits

half = Constant("half", "bits that keep 63% of the params", 0.1, 8.0, (0.5, 3.0), "bits")
link = FormatLink("w", (half,), keeps, read=bits)
register(Law("mine2026", Composed(params_factor=(link,))).fix(kappa=1.0))
il.formats.custom_format("five", grid=[-2, -1, 0, 1, 2], block=32)
'''

CHANGES = (
    Change(
        "law of three terms",
        """
fit = il.fit("stranger2026", runs, draws=2, starts=2)
assert len(fit.law.formula.links) == 3
fit.save("law.json")
at = (1e9, 2e10, "w4")
python(
    "fit, law = il.load('law.json'), il.laws.preset('stranger2026')\\n"
    f"assert fit.law.formula == law.formula and fit.law(*{at}) == {float(fit.law(*at))!r}"
)
both = il.compare(["stranger2026", "chinchilla"], runs, holdouts=["largest"], draws=4, starts=2)
assert {each.fit.law.name for each in both.entries} == {"stranger2026", "chinchilla"}
il.plan(fit, budget, "h100", precision=["bf16", "w4"], extrapolate=True)
assert "stranger2026" in shell("laws") and "activations cost" in shell("laws", "stranger2026")
refused(lambda: il.laws.preset("stranger"), "stranger2026")
""",
        "fit, compare, plan; saved, read by another process; isoloss laws",
        {f"{PACKAGE}/laws/families/stranger.py": LAW},
    ),
    Change(
        "grid of numbers",
        """
from isoloss.lm.after.methods.gptq import gptq
import torch
sf4, x = il.Format.parse("sf4"), np.random.default_rng(0).standard_normal((8, 128))
groups = x.reshape(-1, 64)
top = np.abs(groups).max(1, keepdims=True)
nearest = np.abs((groups / top)[..., None] - sf4.grid).argmin(-1)
assert np.allclose(il.formats.fake_quantise(x, "sf4"), (sf4.grid[nearest] * top).reshape(x.shape))
inputs = torch.randn(256, 128, generator=torch.Generator().manual_seed(0)).double()
weight, hessian = torch.tensor(x), 2 * inputs.T @ inputs
plain, fed = il.lm.fake_quantise(weight, sf4), gptq(weight, hessian, sf4)
scaled = fed.numpy().reshape(-1, 64) / top
assert np.abs(scaled[..., None] - sf4.grid).min(-1).max() < 1e-12
lost = lambda rounded: ((weight - rounded) @ hessian * (weight - rounded)).sum()
assert lost(fed) < lost(plain)
error = il.formats.relative_error
assert error("e4m3") < error("sf4", block=64) < error("int3", block=64)
assert (sf4.bits, sf4.storage_bits) == (4, 4.25)
assert str(il.Precision("w:sf4/32~sr")) == "w:sf4/32~sr"
assert "sf4" in shell("formats")
""",
        "fake_quantise, GPTQ, relative_error, storage bits, spelling; isoloss formats",
        edits=(
            (
                f"{PACKAGE}/formats/named.py",
                '    Format("nf4", "grid", 4, block=64, numbers=NF4),\n',
                '    Format("nf4", "grid", 4, block=64, numbers=NF4),\n'
                '    Format("sf4", "grid", 4, block=64, numbers=(\n'
                "        -1.0, -0.63, -0.46, -0.34, -0.24, -0.16, -0.08, 0.0,\n"
                "        0.07, 0.14, 0.21, 0.3, 0.4, 0.53, 0.7, 1.0,\n"
                "    )),\n",
            ),
        ),
    ),
    Change(
        "method after training",
        """
done = il.lm.train_one(il.lm.model_of("4k"), "2k")
rows = il.quantise(done, ["w4@awqlike", "w4"], calibration=il.lm.Calibration(4))
assert list(rows["method"]) == ["awqlike on 4 sequences", "rtn"], rows["method"]
refused(lambda: il.quantise(done, "w4@awq"), "awqlike")
""",
        "w4@awqlike on a trained model, its row says its name; the error lists it",
        {f"{PACKAGE}/lm/after/methods/awqlike.py": METHOD},
    ),
    Change(
        "machine",
        """
words = ("plan", "kumar2024", "--train", "1e21flop", "--precision", "bf16", "--extrapolate")
assert "chip-x" in shell(*words, "--hardware", "chip-x")
assert "chip-x" in shell("plan", "--help") and "chip-x" in shell("next-runs", "--help")
refused(lambda: il.plans.as_machine("chip-xs"), "chip-x", "h100")
""",
        "isoloss plan --hardware; help of plan and next-runs; the error lists it",
        edits=(
            (
                f"{PACKAGE}/plans/costs/machines.py",
                'register_machine(\n    Hardware(\n        "linear-bits",\n',
                'register_machine(\n    Hardware(\n        "chip-x",\n        {"bf16": 5e14},\n'
                "        64e9,\n        2e12,\n"
                '        pages={"https://chip-x.example": ("bf16", "memory", "bandwidth")},\n'
                "    )\n)\n"
                'register_machine(\n    Hardware(\n        "linear-bits",\n',
            ),
        ),
    ),
    Change(
        "figure",
        """
assert "<svg" in il.plot(runs, "losses.svg", kind="histogram")._repr_svg_()
assert "histogram" in shell("plot", "--help") and '"histogram"' in il.plot.__doc__
refused(lambda: il.plot(runs, kind="histo"), "histogram")
""",
        "il.plot(kind=...); help of isoloss plot; the error lists it",
        {f"{PACKAGE}/plots/panels/histogram_panel.py": FIGURE},
        (
            (
                f"{PACKAGE}/plots/plotting.py",
                '        - Fit: "fit", its predictions',
                '          "histogram", how many have each loss.\n'
                '        - Fit: "fit", its predictions',
            ),
        ),
    ),
    Change(
        "reader of files",
        """
open("runs.psv", "w").write("params|tokens|precision|loss\\n1e8|2e9|w4|3.1\\n")
assert list(il.read("runs.psv")["loss"]) == [3.1]
open("runs.nope", "w").write("no")
refused(lambda: il.read("runs.nope"), ".psv", ".csv")
assert ".psv" in shell("runs", "--help") and ".psv" in shell("fit", "--help")
assert "3.1" in shell("runs", "runs.psv")
""",
        "il.read; the error lists its ending; isoloss runs; help of runs and fit",
        {f"{PACKAGE}/runs/intake/readers/bars.py": READER},
        (
            (
                f"{PACKAGE}/cli/arguments/targets.py",
                '".parquet", ".db")',
                '".parquet", ".db", ".psv")',
            ),
        ),
    ),
    Change(
        "command",
        """
assert shell("slug", "w4/128 a8").strip() == il.Precision("w4/128 a8").slug
assert "Print the file-name form" in shell("--help") and "$ isoloss slug" in shell("slug", "--help")
from isoloss.cli.page import page
assert "## isoloss slug" in page()
""",
        "isoloss slug; isoloss --help; the page of commands",
        {f"{PACKAGE}/cli/verbs/slug_verb.py": COMMAND},
        (
            (
                f"{PACKAGE}/cli/entry.py",
                '    "plot": "plot_verb",\n',
                '    "plot": "plot_verb",\n    "slug": "slug_verb",\n',
            ),
        ),
    ),
)

#: With MINE as mine.py: saved and read by processes that use it and one that does not.
OUTSIDE = """
il.use("mine.py")
fit = il.fit("mine2026", runs, draws=2, starts=2)
fit.save("mine.json")
best = il.compare(["mine2026", "chinchilla"], runs, holdouts=["largest"], draws=4, starts=2)
best.save("compared.json")
words = ["--train", "1e21flop", "--hardware", "h100", "--precision", "w:five,bf16", "--extrapolate"]
for name in ("mine.json", "compared.json"):
    assert "w:five" in shell("--use", "mine.py", "plan", name, *words)
    done = subprocess.run([sys.executable, "-m", "isoloss.cli", "plan", name, *words],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "--use mine" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
assert "five" in shell("--use", "mine.py", "formats", "five")
assert "mine2026" in shell("--use", "mine.py", "laws")
at = (1e9, 2e10, "w:five")
python(f"il.use('mine.py')\\nassert il.load('mine.json').law(*{at}) == {float(fit.law(*at))!r}")
"""
