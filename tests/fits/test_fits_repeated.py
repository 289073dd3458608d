"""Predictions where tokens are repeated: by a term of the law, or a map that is lent and said."""

import numpy as np
import pytest

from isoloss.fits import compare, fit, predict
from isoloss.laws import LAWS, as_law, sees_repetition, with_repetition
from isoloss.runs import read

REPEATING = {"muennighoff2023"}


@pytest.mark.parametrize("name", list(LAWS))
def test_sees_repetition_of_every_law(name):
    assert sees_repetition(as_law(name)) == (name in REPEATING)


def test_repeated_tokens_are_worth_less():
    law = as_law("muennighoff2023")
    found = predict(law, "1B", "100B", unique_tokens=["100B", "10B", "1B"])
    expected = [float(law(1e9, 1e11, unique_tokens=u)) for u in (1e11, 1e10, 1e9)]
    np.testing.assert_allclose(found.loss, expected, rtol=1e-12)
    assert np.all(np.diff(found.loss) > 0)


@pytest.fixture(scope="module")
def blind():
    return fit("chinchilla", read("simulated2024"), draws=20)


def test_laws_without_the_term_borrow_it_and_say_so(blind):
    both = compare(["chinchilla", "chinchilla_tied"], read("simulated2024"), draws=20)
    for law in ("hoffmann2022", blind, both):
        found = predict(law, "1B", "100B", unique_tokens="10B")
        assert found.loss[0] > predict(law, "1B", "100B").loss[0]
        assert any("no term for repeated tokens" in w.text for w in found.warnings)
    laws = {e.fit.law.name: (e.weight, with_repetition(e.fit.law, 1e10)) for e in both.entries}
    mean = sum(w * law(1e9, 1e11, unique_tokens=1e10) for w, law in laws.values())
    assert found.loss[0] == pytest.approx(mean, rel=1e-9)


def test_no_repeat_needs_no_term(blind):
    asked = blind.predict("1B", "100B", unique_tokens="100B")
    assert asked.loss == pytest.approx(blind.predict("1B", "100B").loss, rel=1e-14)


@pytest.mark.parametrize(
    ("unique", "message"),
    [
        ("ten", "ten"),
        ([1e9, 2e9, 3e9], "2 params, 1 tokens, 1 precisions and 3 unique_tokens"),
        (-1.0, "unique_tokens is -1"),
    ],
)
def test_bad_unique_tokens_are_one_sentence(unique, message):
    with pytest.raises(ValueError, match=message):
        predict("muennighoff2023", [1e9, 2e9], 1e11, unique_tokens=unique)
