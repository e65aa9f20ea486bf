"""Weights whose quotients by their scales are half-way between codes, quantized by PyTorch's observers, to torch-ties.json.

    python make-torch-ties.py > torch-ties.json
"""

import json
import warnings

import torch
from torch.ao.quantization import MinMaxObserver, PerChannelMinMaxObserver

warnings.filterwarnings("ignore")
# Rows with scales of 2^-3 to 2^4 and zero points of -28 to -21: the range, then halves.
halves = torch.arange(-31, 31) + 0.5
rows = [torch.cat([torch.tensor([r - 100.0, r + 155.0]), halves]) * 2.0 ** (r - 3) for r in range(8)]
x = torch.stack(rows)
tensor = MinMaxObserver(dtype=torch.qint8, qscheme=torch.per_tensor_affine)
channel = PerChannelMinMaxObserver(ch_axis=0, dtype=torch.qint8, qscheme=torch.per_channel_affine)
result = {"shape": list(x.shape), "x": x.flatten().tolist()}
for name, observer in [("per-tensor", tensor), ("per-channel", channel)]:
    observer(x)
    scale, zero_point = observer.calculate_qparams()
    if name == "per-tensor":
        q = torch.quantize_per_tensor(x, scale.item(), zero_point.item(), torch.qint8)
    else:
        q = torch.quantize_per_channel(x, scale, zero_point, 0, torch.qint8)
    codes = q.int_repr().flatten().tolist()
    result[name] = {"scales": scale.tolist(), "zeroPoints": zero_point.tolist(), "codes": codes}
print(json.dumps(result, separators=(",", ":")))
