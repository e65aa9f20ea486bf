"""Weights as the compressed-tensors package quantizes and stores them.

Writes FOLDER/float.safetensors (float32 weights), FOLDER/quantized/ (the same weights quantized by the package, with
config.json) and FOLDER/asymmetric/ (with zero points): what `--numerics compressed-tensors` must give, and what must be kept.
"""

import json
import sys
from pathlib import Path

import torch
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import save_file

torch.manual_seed(20261123)
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
weights = {
    "a.weight": torch.randn(96, 200),
    "b.weight": torch.randn(33, 64) * 0.02 + 0.01,
    "zeros.weight": torch.cat([torch.zeros(3, 40), torch.randn(5, 40)]),
}
# Values that lie between two codes: ties decide how the original rounds.
weights["ties.weight"] = torch.cat([torch.full((1, 1), 127.5), torch.arange(-63.5, 63.5)[None, :]], dim=1)
save_file(weights, folder / "float.safetensors", metadata={"format": "pt"})

for name, symmetric in [("quantized", True), ("asymmetric", False)]:
    args = QuantizationArgs(num_bits=8, type="int", strategy="channel", symmetric=symmetric)
    tensors, values = {}, {}
    for key, w in weights.items():
        low, high = torch.aminmax(w, dim=1, keepdim=True)
        scale, zero_point = calculate_qparams(low, high, args)
        tensors[key] = quantize(w, scale, zero_point, args, dtype=torch.int8)
        tensors[f"{key}_scale"] = scale
        if not symmetric:
            tensors[f"{key}_zero_point"] = zero_point.to(torch.int8)
        values[key] = dequantize(tensors[key], scale, zero_point if not symmetric else None, args)
    target = folder / name
    target.mkdir(exist_ok=True)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    save_file(values, folder / f"{name}-values.safetensors")
    config = {"quant_method": "compressed-tensors", "format": "int-quantized"}
    (target / "config.json").write_text(json.dumps({"quantization_config": config}))
