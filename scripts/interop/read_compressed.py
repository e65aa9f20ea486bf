"""Reads a folder that qgemm wrote as compressed-tensors does: checks its quantization_config and decompresses its weights.

Usage: read_compressed.py FOLDER OUTPUT.safetensors
"""

import json
import sys
from pathlib import Path

from compressed_tensors.quantization import QuantizationConfig
from compressed_tensors.quantization.lifecycle.forward import dequantize
from safetensors.torch import load_file, save_file

folder = Path(sys.argv[1])
config = json.loads((folder / "config.json").read_text())["quantization_config"]
parsed = QuantizationConfig.model_validate(config)
assert parsed.format == "int-quantized" and parsed.quantization_status == "compressed"
scheme = next(iter(parsed.config_groups.values()))
tensors = load_file(folder / "model.safetensors")
values = {}
for name, codes in tensors.items():
    if f"{name}_scale" in tensors:
        zero_point = tensors.get(f"{name}_zero_point")
        assert (zero_point is None) == scheme.weights.symmetric
        values[name] = dequantize(codes, tensors[f"{name}_scale"], zero_point, scheme.weights)
save_file(values, sys.argv[2])
