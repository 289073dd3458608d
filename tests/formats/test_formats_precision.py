"""The spelling of precisions: the examples of the design, what they mean, and what is refused."""

import copy
import pickle
import re
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

from isoloss.formats import PARTS, Format, Precision, as_format, as_precision, catalogue

CANONICAL = [
    "w4",
    "w4 a8",
    "w4 a8 kv:e4m3",
    "w:e4m3",
    "a:mxfp8",
    "a:mxfp8_e5m2",
    "w:mxfp6_e3m2",
    "w:nvfp4",
    "w1.58",
    "w1",
    "bf16",
    "e4m3",
    "fp",
    "int4",
    "mxfp4",
    "w3 a8 kv8",
    "w4/128",
    "w8 a8 -> w4/128@gptq",
    "fp -> w3",
    "d:add(0.001)",
    "a:vec(0.02)",
    "w:coord(0.02)",
    "d6",
    "d:e4m3",
    "a.fc2:int8",
    "w4 w.head:e4m3",
    "w4 w.head:fp",
    "w4 -> w:fp",
    "w4/128+had+clip~sr@gptq",
    "w:int16 a:bf16 kv:fp32",
    "bf16 -> int4",
    "w4 a4/row kv4",
    "int4/128@quest",
    "w4 w.a:fp w.a.b:int8 a8 kv8 q8 g:e5m2~sr d6 l:vec(1e-05) -> w3 w.head:bf16",
]
SAME = [
    ("W4A16", "w4 a:bf16"),
    ("W8A8KV8", "int8"),
    ("FP8", "e4m3"),
    ("FP4", "e2m1"),
    ("w4 a16", "w4 a:bf16"),
    ("w:4", "w4"),
    ("w:int4", "w4"),
    ("w32", "w:fp32"),
    ("w:ternary", "w1.58"),
    ("w:int1", "w1"),
    ("w4/row", "w4"),
    ("a8/tensor", "a8"),
    ("kv8/row", "kv8"),
    ("w:mxfp4/32", "w:mxfp4"),
    ("w4 a4 kv4", "int4"),
    ("kv:e4m3 a8 w4", "w4 a8 kv:e4m3"),
    ("w8 a8 → w4", "w8 a8 -> w4"),
    ("w8->w4", "w8 -> w4"),
    ("-> w4", "fp -> w4"),
    ("  w4   a8 ", "w4 a8"),
    ("d:add(1e-3)", "d:add(0.001)"),
    ("d:ADD(0.0010)", "d:add(0.001)"),
    ("w4@GPTQ/128", "w4/128@gptq"),
    ("d:add(0)", "fp"),
    ("w:fp", "fp"),
    ("w:fp a4", "a4"),
    ("w.head:fp", "fp"),
    ("fp -> fp", "fp"),
    ("w4 -> fp", "w4 -> w:fp"),
    ("e4m3 g:e5m2", "w:e4m3 a:e4m3 kv:e4m3 g:e5m2"),
    ("w4.0 a16.0", "w4 a:bf16"),
    ("w1.58a8", "w1.58 a8"),
    ("W.Head:8", "w.head:int8"),
    ("int4/row", "w4 a4/row kv4"),
    ("w17", "w17"),
]


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_spellings_print_as_they_are(text: str) -> None:
    assert str(Precision.parse(text)) == text
    assert Precision(text) == Precision.parse(text)


@pytest.mark.parametrize(("text", "canonical"), SAME)
def test_other_spellings_mean_the_same(text: str, canonical: str) -> None:
    assert str(Precision(text)) == canonical
    assert Precision(text) == Precision(canonical)
    assert hash(Precision(text)) == hash(Precision(canonical))


@pytest.mark.parametrize("known", catalogue(), ids=str)
def test_a_format_alone_sets_w_a_and_kv(known: Format) -> None:
    precision = Precision(known.name)
    assert str(precision) == known.name
    assert dict(precision.train) == (
        {} if known.is_exact else {"w": known, "a": known, "kv": known}
    )


def test_train_and_serve_hold_what_is_set() -> None:
    precision = Precision("w8 a8 a.fc2:bf16 -> w4/128@gptq")
    assert {scope: str(known) for scope, known in precision.train.items()} == {
        "w": "int8",
        "a": "int8",
        "a.fc2": "bf16",
    }
    assert {scope: str(known) for scope, known in precision.serve.items()} == {"w": "int4/128@gptq"}
    assert precision.trained == Precision("w8 a8 a.fc2:bf16")
    assert Precision(precision.train, precision.serve) == precision
    assert Precision("w8 a8", serve={"w": "int4"}) == Precision("w8 a8 -> w4")
    assert Precision(precision) == Precision.parse(precision) == precision


@pytest.mark.parametrize(
    ("scope", "train", "serve"),
    [
        ("w", "int8", "int4"),
        ("w.head", "bf16", "int4"),
        ("w.fc1", "int8", "int4"),
        ("a.fc2.gate", "e4m3", "e4m3"),
        ("a", "int8", "int8"),
        ("kv", "None", "e5m2"),
        ("KV.cross", "None", "e5m2"),
        ("g", "None", "None"),
    ],
)
def test_scopes_fall_back_to_their_part_and_serving_to_training(
    scope: str, train: str, serve: str
) -> None:
    precision = Precision("w8 w.head:bf16 a8 a.fc2:e4m3 -> w4 kv:e5m2")
    assert str(precision.format(scope)) == train
    assert str(precision.format(scope, "serve")) == serve


@pytest.mark.parametrize(
    ("text", "part", "bits"),
    [
        ("w4", "w", 4),
        ("w4", "a", None),
        ("bf16", "kv", 16),
        ("fp", "w", None),
        ("w4 w.head:fp", "w.head", None),
        ("w:mxfp4", "w", 4),
        ("w:fp32", "w", 32),
    ],
)
def test_bits(text: str, part: str, bits: float | None) -> None:
    assert Precision(text).bits(part) == bits


def test_bits_in_serving() -> None:
    assert Precision("w8 a8 -> w3").bits("w", "serve") == 3
    assert Precision("w8 a8 -> w3").bits("a", "serve") == 8
    assert Precision("w8 -> fp").bits("w", "serve") is None


@pytest.mark.parametrize(
    ("text", "part", "granularity"),
    [
        ("w4", "w", "row"),
        ("w4/128", "w", 128),
        ("a8", "a", "tensor"),
        ("kv8", "kv", "row"),
        ("g8", "g", "tensor"),
        ("w:nvfp4", "w", 16),
        ("a:mxfp8/row", "a", "row"),
        ("w.head:int4", "w.head", "row"),
        ("fp", "w", None),
        ("d:add(0.1)", "d", None),
    ],
)
def test_granularity_defaults(text: str, part: str, granularity: str | int | None) -> None:
    assert Precision(text).granularity(part) == granularity


def test_precisions_sort_by_bits() -> None:
    ordered = [
        "w1",
        "w1.58",
        "w4 a4",
        "w4 a8",
        "w4",
        "w8 a8 -> w4",
        "w8 a8",
        "w8",
        "bf16",
        "d4",
        "d:add(0.001)",
        "d6",
        "fp -> w3",
        "fp -> w4",
        "fp",
    ]
    assert [str(each) for each in sorted(Precision(text) for text in reversed(ordered))] == ordered
    assert Precision("w4") <= Precision("w4") < Precision("w5")
    with pytest.raises(TypeError):
        _ = Precision("w4") < "w5"


@pytest.mark.parametrize("text", ["w8 a8 -> w4/128@gptq", "d:add(0.001)", "fp"])
def test_precisions_are_values(text: str) -> None:
    precision = Precision(text)
    assert pickle.loads(pickle.dumps(precision)) == precision
    assert {precision: 1}[copy.deepcopy(precision)] == 1
    assert repr(precision) == f"Precision('{text}')"
    with pytest.raises(TypeError):
        precision.train["w"] = Format.parse("int2")  # type: ignore[index]
    with pytest.raises(AttributeError):
        precision.train = {}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("w4 a8 kv:e4m3", "w4-a8-kv.e4m3"),
        ("fp", "fp"),
        ("w8 a8 -> w4/128@gptq", "w8-a8--w4__128__by_gptq"),
        ("a.fc2:mxfp8_e5m2+had~sr", "a.fc2.mxfp8_e5m2__had__sr"),
        ("d:add(1e-5)", "d.add__1e-05"),
        ("d:add(1e16)", "d.add__1e16"),
        ("w4 -> w:fp", "w4--w.fp"),
    ],
)
def test_slugs(text: str, slug: str) -> None:
    assert Precision(text).slug == slug


BITS = "bits go from 1 to 32"
HOW = "write parts like 'w4 a8 kv:e4m3'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w4 q8x", f"cannot read 'q8x' in precision 'w4 q8x'; {HOW}"),
        ("x4", f"cannot read 'x4' in precision 'x4'; {HOW}"),
        ("4", f"cannot read '4' in precision '4'; {HOW}"),
        ("w4,a8", f"cannot read 'w4,a8' in precision 'w4,a8'; {HOW}"),
        ("w4a16/128", f"cannot read 'w4a16/128' in precision 'w4a16/128'; {HOW}"),
        ("w4 w8", "'w' is set twice in precision 'w4 w8'; set each part once"),
        ("bf16 w4", "'w' is set twice in precision 'bf16 w4'; set each part once"),
        (
            "w0",
            "cannot read 'w0' in precision 'w0': an integer of 0 bits is out of range; " + BITS,
        ),
        (
            "a99",
            "cannot read 'a99' in precision 'a99': an integer of 99 bits is out of range; " + BITS,
        ),
        (
            "w1.5",
            "cannot read 'w1.5' in precision 'w1.5': 1.5 bits are no format; "
            "bits are whole numbers from 1 to 32, or 1.58 for ternary",
        ),
        (
            "w:e4m",
            "cannot read 'w:e4m' in precision 'w:e4m': unknown format 'e4m'; did you mean 'e4m3'?",
        ),
        (
            "BF61",
            "cannot read 'BF61' in precision 'BF61': unknown format 'bf61'; did you mean 'bf16'?",
        ),
        (
            "z:int4",
            "cannot read 'z:int4' in precision 'z:int4': unknown part 'z'; parts are w a kv k v q "
            "g d l, "
            "narrowed as in a.fc2 or w.head",
        ),
        (
            "w.:4",
            "cannot read 'w.:4' in precision 'w.:4': unknown part 'w.'; parts are w a kv k v q g d "
            "l, "
            "narrowed as in a.fc2 or w.head",
        ),
        (
            "w4/col",
            "cannot read 'w4/col' in precision 'w4/col': unknown granularity 'col'; "
            "it is 'tensor', 'row', 'channel', 'token', a group size of 2 or more, or a tile as "
            "'128x128'",
        ),
        (
            "w4~rn",
            "cannot read 'w4~rn' in precision 'w4~rn': unknown modifier '~rn'; "
            "modifiers are /granularity +had +clip +pow2 ~sr ~dither @method",
        ),
        (
            "w4@",
            "cannot read 'w4@' in precision 'w4@': unknown method ''; "
            "name it with lower-case letters, digits and single '_'",
        ),
        (
            "w4 ->",
            f"precision 'w4 ->' has nothing after its arrow; {HOW}, or 'fp' for the reference",
        ),
        ("", f"precision '' has no parts; {HOW}, or 'fp' for the reference"),
        (
            "w4 -> w3 -> w2",
            "precision 'w4 -> w3 -> w2' has more than one arrow; write it as in 'w8 a8 -> w4'",
        ),
        (None, "a precision is a text such as 'w4 a8', not None"),
        ({"w": "int4", "W": "int8"}, "'w' is set twice; set each part once"),
        (
            {"w": Format("int4", "int", 8)},
            "the format of 'w' is not the one that its name 'int4' spells",
        ),
    ],
)
def test_errors_of_precisions(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Precision(text)
    assert str(caught.value) == message


def test_unknown_parts_are_refused_in_questions() -> None:
    with pytest.raises(
        ValueError, match=r"^unknown part 'weights'; parts are w a kv k v q g d l, narrowed as in"
    ):
        Precision("w4").bits("weights")
    assert list(PARTS) == ["w", "a", "kv", "k", "v", "q", "g", "d", "l"]


def test_the_room_loads_no_scipy() -> None:
    code = (
        "import sys, isoloss.formats as f; f.Precision('w4 -> w3').slug; "
        "print('scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("written", "ours", "largest"),
    [
        ("torch.bfloat16", "bf16", 3.3895313892515355e38),
        ("torch.float8_e4m3fn", "e4m3", 448),
        ("float8_e4m3", "e4m3_ieee", 240),
        ("float8_e3m4", "e3m4_ieee", 15.5),
        ("e3m4", "e3m4", 31),
        ("float4_e2m1fn", "e2m1", 6),
        ("NF4", "nf4", 1),
        ("e5m10", "fp16", 65504),
    ],
)
def test_names_of_other_libraries_mean_their_numbers(
    written: str, ours: str, largest: float
) -> None:
    assert str(Precision(written)) == ours
    assert Format.parse(written).max == largest


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("e4m3_ieee", "float8_e4m3"), ("e3m4_ieee", "float8_e3m4"), ("e5m2_ieee", "float8_e5m2")],
)
def test_ieee_floats_are_those_of_ml_dtypes(name: str, dtype: str) -> None:
    codes = np.arange(256, dtype=np.uint8).view(getattr(ml_dtypes, dtype)).astype(np.float64)
    assert np.array_equal(Format.parse(name).grid, np.unique(codes[np.isfinite(codes)]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bf16-mixed", "'bf16-mixed' is no format; it is a way to train (autocast), not a format"),
        (
            "4bit",
            "'4bit' is no format; it counts bits and names no format; write one such as 'int4'",
        ),
        ("w:load_in_8bit", "'load_in_8bit' is no format; it counts bits"),
        ("q4_k_m", "'q4_k_m' is no format; it is a file format of GGUF"),
        ("nf3", "'nf3' is no format; only 'nf4' is a normal float here"),
        ("float8_e8m0fnu", "'float8_e8m0fnu' is no format; it is the format of a scale"),
        ("w4/token", "'w:int4/token' cannot be: weights have no tokens; write '/channel'"),
        (
            "w.dw:e4m3",
            "unknown operand 'w.dw'; operands of the backward products are w.dx a.dw g.dx g.dw",
        ),
        ("g.dx.fc2:e4m3", "unknown operand 'g.dx.fc2'"),
        (
            "w4 then bf16",
            "cannot read the change in precision 'w4 then bf16'; write it as in 'w4 a4 then bf16 "
            "from 80%'",
        ),
        (
            "w4 then bf16 from 80% then w8 from 20%",
            "changes at 20%; changes come one after the other, above 0% and below 100%",
        ),
        ("w4 then bf16 from 100%", "changes at 100%;"),
        (
            "w4 -> w3 then w2 from 5%",
            "changes after its arrow; a change belongs to training, before the arrow",
        ),
    ],
)
def test_what_other_tools_write_and_what_cannot_be(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        Precision(text)
    assert "nvfp4" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "canonical", "slug"),
    [
        ("k8 v4", "k8 v4", "k8-v4"),
        ("kv4 k8", "k8 v4", "k8-v4"),
        ("v4 k4 w4", "w4 kv4", "w4-kv4"),
        ("w4/channel a8/token", "w4 a8/row", "w4-a8__row"),
        ("w:e4m3/128x128 a:e4m3/1x128", "w:e4m3/128x128 a:e4m3/128", "w.e4m3__128x128-a.e4m3__128"),
        (
            "a.dw:e4m3 w.dx:e4m3 g.fc2.dw:e5m2",
            "w.dx:e4m3 a.dw:e4m3 g.fc2.dw:e5m2",
            "w.dx.e4m3-a.dw.e4m3-g.fc2.dw.e5m2",
        ),
        (
            "W4 A4 THEN bf16 FROM 80.50 % -> w3",
            "w4 a4 then bf16 from 80.5% -> w3",
            "w4-a4-then-bf16-from-80.5--w3",
        ),
        ("w4 then w4 from 10% then fp from 50%", "w4 then fp from 50%", "w4-then-fp-from-50"),
        ("w4 then w4 from 10%", "w4", "w4"),
    ],
)
def test_the_grammar_of_later_work(text: str, canonical: str, slug: str) -> None:
    precision = Precision(text)
    assert (str(precision), precision.slug) == (canonical, slug)
    assert Precision(canonical) == precision
    assert pickle.loads(pickle.dumps(precision)) == precision


def test_scopes_fall_back_to_what_is_around_them() -> None:
    precision = Precision("w8 w.fc2:int4 w.dx:e4m3 kv8 k4 v.layers.3:int3")
    asked = {
        "w.fc2": "int4",
        "w.fc2.dx": "e4m3",
        "w.dx": "e4m3",
        "w.out": "int8",
        "w.out.dx": "e4m3",
    }
    asked |= {"k": "int4", "v": "int8", "v.layers.3": "int3", "k.layers.3": "int4"}
    assert {scope: str(precision.format(scope)) for scope in asked} == asked
    with pytest.raises(ValueError, match=r"rounds keys and values apart, .* ask for 'k' or 'v'"):
        precision.bits("kv")
    assert Precision("k4 -> kv8").bits("kv", "serve") == 8


def test_a_changing_precision_is_refused_where_one_is_needed() -> None:
    changing = Precision("w4 a4 then bf16 from 80%")
    assert changing.bits("w", "serve") == 16
    assert changing != Precision("w4 a4")
    for ask in (
        lambda: changing.train,
        lambda: changing.bits("w"),
        changing.check_one_format_a_part,
    ):
        with pytest.raises(
            ValueError, match=r"^'w4 a4 then bf16 from 80%' changes during training"
        ):
            ask()
    for text in ("k4", "g.dx:e4m3", "w.layers.3:int4", "fp -> v4"):
        with pytest.raises(ValueError, match="which no law reads yet; set the whole part"):
            Precision(text).check_one_format_a_part()


def test_one_door_takes_names_spellings_and_values() -> None:
    for given in ("w4 a8", Precision("w4 a8")):
        assert as_precision(given) == Precision("w4 a8")
    for given in ("nf4", "NF4/64", Format.parse("nf4")):
        assert as_format(given) == Format.parse("nf4")
    with pytest.raises(ValueError, match=r"^a format is a text such as 'int4', not 4$"):
        as_format(4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^a precision is a text such as 'w4 a8', not None$"):
        as_precision(None)  # type: ignore[arg-type]
