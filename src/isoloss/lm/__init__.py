"""Small language models with quantised parts, and quantisation after training; so far, rounding in torch."""

from isoloss.lm.fake_quant import fake_quantise

__all__ = ["fake_quantise"]
