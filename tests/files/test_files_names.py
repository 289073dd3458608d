"""Names that become files: refused in one sentence wherever a system would read them as something
else.
"""

import pytest

from isoloss.files import checked_name


@pytest.mark.parametrize(
    "name", ["a", "3f2a-b.c_d", ".hidden", "w4 a8", "größe", "a" * 200, "console"]
)
def test_a_name_is_given_back(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "names no file"),
        (".", "names no file"),
        ("..", "names no file"),
        ("/abs", "it holds '/'"),
        ("a/b", "it holds '/'"),
        ("..\\a", "it holds"),
        ("C:", "it holds ':'"),
        ("what?", "it holds"),
        ("a\0", "cannot be printed"),
        ("a\nb", "cannot be printed"),
        ("\ud800", "cannot be printed"),
        (" a", "a blank"),
        ("a.", "ends with a dot"),
        ("a" * 300, "longer than 200 bytes"),
        ("ü" * 101, "longer than 200 bytes"),
        ("nul", "for a device"),
        ("COM1.json", "for a device"),
        (None, "no text"),
        (b"a", "no text"),
    ],
)
def test_what_cannot_be_a_name_is_refused(name, why: str) -> None:
    with pytest.raises(ValueError, match=f"the task key .* cannot name a file: .*{why}") as caught:
        checked_name(name, "task key")
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()
