"""Writes gguf-blocks.json: blocks of every type of GGUF, from a formula, and what the gguf package decodes of them.

Byte j of a type is the upper byte of the state after j + 1 steps s = s * 1664525 + 1013904223 modulo 2^32 from s = 1, with
bit 6 cleared where it is the upper byte of a float16, so that no scale is NaN or infinite.
"""

import hashlib
import json
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.constants import GGML_QUANT_SIZES

BLOCKS = 512
# Where the upper bytes of float16 fields lie in a block.
SCALES = {
    "Q4_0": [1], "Q4_1": [1, 3], "Q5_0": [1], "Q5_1": [1, 3], "Q8_0": [1],
    "Q2_K": [81, 83], "Q3_K": [109], "Q4_K": [1, 3], "Q5_K": [1, 3], "Q6_K": [209],
    "IQ4_NL": [1], "IQ4_XS": [1], "MXFP4": [], "NVFP4": [], "TQ1_0": [53], "TQ2_0": [65],
    "IQ1_S": [1], "IQ1_M": [55], "IQ2_XXS": [1], "IQ2_XS": [1], "IQ2_S": [1], "IQ3_XXS": [1], "IQ3_S": [1],
}  # fmt: skip

golden = {}
for name, uppers in SCALES.items():
    kind = Type[name]
    elements, size = GGML_QUANT_SIZES[kind]
    blocks = np.zeros(BLOCKS * size, np.uint8)
    state = 1
    for j in range(len(blocks)):
        state = (state * 1664525 + 1013904223) % 2**32
        blocks[j] = state >> 24
    blocks = blocks.reshape(BLOCKS, size)
    for upper in uppers:
        blocks[:, upper] &= 0xBF
    with np.errstate(over="ignore"):
        values = gguf.quants.dequantize(blocks, kind).astype("<f4")
    sha256 = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
    golden[name] = {"id": int(kind), "elements": elements, "bytes": size, "uppers": uppers, "sha256": sha256}

json.dump({"gguf": "0.19.0", "blocks": BLOCKS, "types": golden}, sys.stdout, indent=1)
print()
