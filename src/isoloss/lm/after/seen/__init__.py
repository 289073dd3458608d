"""What matrices of a model are seen to take while tokens pass it.

A `Matrix` is one where it stands (matrix.py). `Products` watches what multiplies activations
(products.py), told by where it lies in memory (places.py), meeting.py tells who takes the same
input, `Moments` are sums over inputs (moments.py). `Calibrated` gathers them in one pass for all
formats, `seen_in_turn` behind rounded layers (calibrating.py, walking.py), a folder keeps them
(keeping.py); `reached` says which no
token came to (reaching.py), `weights_hash` whose they are (fingerprint.py).
"""

from isoloss.lm.after.seen.calibrating import Calibrated, seen_in_turn
from isoloss.lm.after.seen.fingerprint import settings_text, weights_hash
from isoloss.lm.after.seen.keeping import MomentsWarning, folder_of
from isoloss.lm.after.seen.matrix import Matrix
from isoloss.lm.after.seen.moments import DAMPING, Moments, Seen, Sees, inverse_factor
from isoloss.lm.after.seen.places import CAST, Places, in_parts
from isoloss.lm.after.seen.products import FACTORS, Product, Products
from isoloss.lm.after.seen.reaching import CalibrationWarning, reached

# fmt: off
__all__ = [
    "CAST", "DAMPING", "FACTORS", "Calibrated", "CalibrationWarning", "Matrix", "Moments",
    "MomentsWarning", "Places", "Product", "Products", "Seen", "Sees", "folder_of", "in_parts",
    "inverse_factor", "reached", "seen_in_turn", "settings_text", "weights_hash",
]
# fmt: on
