"""Laws and plans refuse what the spelling of a precision says and no law reads."""

import pytest

from isoloss.laws import preset


@pytest.mark.parametrize(
    "spelled", ["k4", "w4 then bf16 from 80%", "g.dx:e4m3", "fp -> w.layers.3:int4"]
)
def test_it_is_refused_in_one_sentence(spelled: str) -> None:
    with pytest.raises(
        ValueError, match=r"^'.*' (sets '.*', which no law reads yet|changes during training)"
    ):
        preset("kumar2024")(1e9, 1e11, spelled)
