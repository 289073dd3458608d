"""Parse and print are inverse for every precision there is."""

import contextlib
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from isoloss.formats import (
    OPERANDS,
    PARTS,
    Format,
    Modifiers,
    Precision,
    catalogue,
    float_format,
    int_format,
    noise_format,
)

PROPERTY = settings(max_examples=400, deadline=None, derandomize=True)
WORD = r"[a-z0-9]{1,4}(_[a-z0-9]{1,4})?"
bare_formats = st.one_of(
    st.integers(2, 32).map(lambda bits: Format.parse(f"int{bits}_full")),
    st.integers(2, 32).map(lambda bits: Format.parse(f"uint{bits}")),
    st.sampled_from([known for known in catalogue() if not known.is_exact]),
    st.integers(1, 32).map(int_format),
    st.tuples(st.integers(1, 8), st.integers(1, 23)).map(lambda sizes: float_format(*sizes)),
)
every_modifier = st.builds(
    Modifiers,
    st.one_of(
        st.none(),
        st.sampled_from(["tensor", "row", "channel", "128x128", "2x64", "64x1"]),
        st.integers(2, 4096),
    ),
    st.booleans(),
    st.sampled_from([0.0, 1.0, 2.0, 2.4, 3.25]),
    st.booleans(),
    st.sampled_from([None, "sr", "dither"]),
    st.one_of(
        st.none(),
        st.sampled_from(["gptq", "had", "row", "by_x"]),
        st.from_regex(WORD, fullmatch=True),
    ),
)


def _modified(known: Format, modifiers: Modifiers) -> Format:
    """The format with modifiers; dither only where steps are equal."""
    if modifiers.rounding == "dither" and not known.is_uniform:
        modifiers = modifiers._replace(rounding="sr")
    return known.modified(modifiers)


positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
formats = st.one_of(
    st.just(Format.parse("fp")),
    bare_formats,
    st.builds(_modified, bare_formats, every_modifier),
    st.builds(noise_format, st.sampled_from(["add", "vec", "coord"]), positive),
)
# Names that look like formats and few of them, so that scopes nest, repeat and could be mistaken.
inner_names = st.lists(
    st.sampled_from(["head", "fc2", "layers", "3", "e4m3", "fp", "int4", "a_mxfp8"]), max_size=2
)
scopes = st.one_of(
    st.builds(
        lambda part, names: ".".join([part, *names]), st.sampled_from(list(PARTS)), inner_names
    ),
    st.builds(
        lambda operand, names: ".".join([operand[0], *names, operand[2:]]),
        st.sampled_from(OPERANDS),
        inner_names,
    ),
)
everywhere = formats.map(lambda known: {"w": known, "a": known, "kv": known})
stages = st.one_of(st.dictionaries(scopes, formats, max_size=6), everywhere)
staying = st.builds(Precision, stages, stages)
percents = st.lists(
    st.one_of(st.integers(1, 99), st.floats(0.01, 99.99).map(lambda x: round(x, 6))),
    unique=True,
    min_size=1,
    max_size=2,
).map(sorted)


@st.composite
def changing(draw: st.DrawFn) -> Precision:
    """A precision of two or three phases, and what serves it."""
    pieces = [str(Precision(draw(stages)))]
    pieces += [f"{Precision(draw(stages))} from {start}%" for start in draw(percents)]
    return Precision(Precision(" then ".join(pieces)), draw(stages))


precisions = st.one_of(staying, changing())
QUESTIONS = [f"{part}{inner}" for part in PARTS for inner in ("", ".head", ".fp.fc2", ".other")]


@PROPERTY
@given(precisions)
def test_every_precision_reads_back(precision: Precision) -> None:
    text = str(precision)
    assert Precision.parse(text) == precision
    assert str(Precision.parse(text)) == text
    assert str(Precision.parse(text.upper().replace("->", "→"))) == text
    assert hash(Precision.parse(text)) == hash(precision)


@PROPERTY
@given(formats)
def test_every_format_reads_back(known: Format) -> None:
    assert Format.parse(str(known)) == known


@PROPERTY
@given(stages, stages)
def test_the_canonical_form_keeps_the_meaning(
    train: dict[str, Format], serve: dict[str, Format]
) -> None:
    """What is left out of the spelling changes no answer."""
    precision = Precision(train, serve)
    for scope in [*train, *serve, *QUESTIONS]:
        for stage, tables in (("train", [train]), ("serve", [serve, train])):
            expected = _meaning(scope, tables)
            if scope.startswith("kv") and any(
                _meaning(part + scope[2:], tables) != expected for part in "kv"
            ):
                with contextlib.suppress(ValueError):  # no one format says what it is
                    found = precision.format(scope, stage)  # type: ignore[arg-type]
                    assert found is None or found.bare == expected
                continue
            found = precision.format(scope, stage)  # type: ignore[arg-type]
            assert (found.bare if found else EXACT) == expected


EXACT = Format.parse("fp")


def _meaning(scope: str, tables: list[dict[str, Format]]) -> Format:
    """The format that the innermost scope sets, 'fp' where none does, by the words of the
    manual."""
    part, *names = scope.split(".")
    product = [names.pop()] if names and names[-1] in ("dx", "dw") else []
    places = [names[:length] for length in range(len(names), -1, -1)]
    parts = [part, "kv"] if part in ("k", "v") else [part]
    asked = [".".join([each, *place, *product]) for place in places for each in parts]
    asked += [".".join([each, *place]) for place in places for each in parts]
    found = (table[each] for table in tables for each in asked if each in table)
    return next(found, EXACT).bare


def _spelled(slug: str) -> str:
    """The spelling of a slug, read by rules of its own: none is lost, so no two precisions share a
    slug."""
    sides = []
    for side in slug.split("--"):
        side = re.sub(r"-from-([0-9.]+)", r"-from \1%", side)
        words = re.split(r"-(?=[a-z])", side)  # the "-" of 1e-05 stands before a digit
        sides.append(" ".join(_spelled_word(word) for word in words))
    return " -> ".join(sides)


def _spelled_word(word: str) -> str:
    name, *behind = re.split(r"__(?!_)", word)
    # The format is what follows the last dot that stands before a letter.
    cut = re.fullmatch(r"((?:kv|[waqgdlkv])(?:\.[a-z0-9_]+)*)\.([a-z][a-z0-9_]*)", name)
    name = f"{cut[1]}:{cut[2]}" if cut else name
    if re.search(r"(^|:)(add|vec|coord)$", name):
        return f"{name}({behind[0]})"
    signs = {"had": "+", "clip": "+", "pow": "+", "sr": "~", "dither": "~"}
    return name + "".join(
        f"@{mark[3:]}"
        if mark.startswith("by_")
        else signs.get(mark.rstrip("0123456789."), "/") + mark
        for mark in behind
    )


@PROPERTY
@given(precisions)
def test_slugs_are_plain_and_belong_to_one_precision(precision: Precision) -> None:
    assert re.fullmatch(r"[a-z0-9_.-]+", precision.slug)
    assert Precision(_spelled(precision.slug)) == precision


@PROPERTY
@given(st.lists(precisions, min_size=3, max_size=3))
def test_precisions_are_in_one_order(three: list[Precision]) -> None:
    low, middle, high = sorted(three)
    assert low <= middle <= high
    assert low <= high
    assert (low < high) == (low != high)
