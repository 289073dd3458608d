"""GPTQ on the inputs that rounded layers give: the model is calibrated anew for every format,
matrix by matrix.
"""

from __future__ import annotations

from dataclasses import replace

from isoloss.lm.after.methods.gptq import METHOD as GPTQ

METHOD = replace(GPTQ, name="gptq_sequential", layer_by_layer=True, together=False)
