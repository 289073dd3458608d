"""Rounding in torch, compiled and with gradients: a door of its own, since not every user of
formats has torch."""

from isoloss.formats.torch_twin.compiled import compiled_as, fake_quantise, fused_or, straight

__all__ = ["compiled_as", "fake_quantise", "fused_or", "straight"]
