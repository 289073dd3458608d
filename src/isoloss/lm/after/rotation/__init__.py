"""Rotations of the residual stream, before anything is rounded.

Which tensors of a model write to its stream and which read from it, behind which norm, is seen
while tokens pass (following.py); turning.py turns them all by one orthogonal matrix.
"""

from isoloss.lm.after.rotation.turning import random_rotation, rotate_stream

__all__ = ["random_rotation", "rotate_stream"]
