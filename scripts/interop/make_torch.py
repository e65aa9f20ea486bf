"""Checkpoints as torch.save writes them, and what torch itself makes of their tensors.

Writes FOLDER/*.pt and FOLDER/expected.json: for each file its tensors by name, with dtype, shape and the SHA-256 of the bytes
of their values, and of codes, scales and zero points where there are any. Values of quantized tensors are
(code - zero point) * scale in float32, as torch.dequantize has them per tensor and qgemm always; torch computes them in
float64 where there is a scale for each channel, which may differ in the last bit.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path

import torch
from torch import nn

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
torch.manual_seed(0)
# torch announces the end of its quantized tensors at every use.
warnings.filterwarnings("ignore")


def sha256(tensor):
    data = tensor.detach().contiguous().clone().flatten().view(torch.uint8) if tensor.numel() else tensor
    return hashlib.sha256(bytes(data.tolist())).hexdigest()


def dequantize(tensor):
    if tensor.qscheme() == torch.per_tensor_affine:
        return tensor.dequantize()
    channels = [1] * tensor.dim()
    channels[tensor.q_per_channel_axis()] = -1
    zero_points = tensor.q_per_channel_zero_points().view(channels)
    values = (tensor.int_repr() - zero_points).float() * tensor.q_per_channel_scales().float().view(channels)
    assert torch.allclose(values, tensor.dequantize(), rtol=2e-7, atol=0)
    return values


def describe(tensor):
    if not tensor.is_quantized:
        return {"dtype": str(tensor.dtype), "shape": list(tensor.shape), "sha256": sha256(tensor)}
    found = {
        "dtype": "torch.float32",
        "shape": list(tensor.shape),
        "sha256": sha256(dequantize(tensor)),
        "codes": sha256(tensor.int_repr()),
    }
    if tensor.qscheme() == torch.per_tensor_affine:
        found.update(scales=[tensor.q_scale()], zeroPoints=[tensor.q_zero_point()], axis=None)
    else:
        found.update(
            scales=tensor.q_per_channel_scales().tolist(),
            zeroPoints=tensor.q_per_channel_zero_points().tolist(),
            axis=tensor.q_per_channel_axis(),
        )
    return found


expected = {}


def save(name, what, tensors, **options):
    torch.save(what, folder / name, **options)
    expected[name] = {key: describe(tensor) for key, tensor in tensors.items()}


model = nn.Sequential(nn.Linear(40, 24), nn.LayerNorm(24), nn.Linear(24, 8))
state = model.state_dict()
save("state-dict.pt", state, state)
save("legacy.pth", state, state, _use_new_zipfile_serialization=False)
save("protocol-4.pt", state, state, pickle_protocol=4)

optimizer = torch.optim.Adam(model.parameters())
model(torch.ones(2, 40)).sum().backward()
optimizer.step()
state = model.state_dict()
save("training.pt", {"epoch": 3, "model": state, "optimizer": optimizer.state_dict(), "lr": 0.5}, state)

# A training checkpoint that keeps Parameters, as user code that skips state_dict() does.
parameters = dict(model.named_parameters())
save("parameters.pt", {"state_dict": parameters}, parameters)

base = torch.randn(6, 10)
views = {
    "transposed": base.t(),
    "rows": base[2:5],
    "columns": base[:, 3:7],
    "every_second": base[::2, 1::3],
    "permuted": base.view(2, 3, 10).permute(2, 0, 1),
    "expanded": base[0].expand(4, 10),
    "scalar": base[3, 4],
    "empty": base[:0],
    "tied_a": base,
    "tied_b": base,
    "parameter": nn.Parameter(base.t()),
    "reshaped": base.view(3, 20),
}
save("views.pt", views, views)
save("views-legacy.pt", views, views, _use_new_zipfile_serialization=False)
save("large-transposed.pt", {"a.weight": torch.randn(700, 4000).t()}, {})
expected["large-transposed.pt"]["a.weight"] = describe(torch.load(folder / "large-transposed.pt")["a.weight"])

dtypes = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 uint16 uint32 uint64 bool complex64"
dtypes += " float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz"
plain = {name: (torch.randn(5, 3) * 3).to(getattr(torch, name)) for name in dtypes.split()}
save("dtypes.pt", plain, plain)

weight = torch.randn(24, 40)
scales = torch.rand(24, dtype=torch.float64) / 50 + 0.001
quantized = {
    "tensor.weight": torch.quantize_per_tensor(weight, 0.03, 0, torch.qint8),
    "tensor_asymmetric.weight": torch.quantize_per_tensor(weight, 0.03, 121, torch.quint8),
    "channel.weight": torch.quantize_per_channel(weight, scales, torch.zeros(24), 0, torch.qint8),
    "channel_asymmetric.weight": torch.quantize_per_channel(weight, scales, torch.arange(24) - 9, 0, torch.qint8),
    "columns.weight": torch.quantize_per_channel(weight.t(), scales, torch.zeros(24), 1, torch.qint8),
    "convolution.weight": torch.quantize_per_channel(torch.randn(24, 4, 3, 3), scales, torch.zeros(24), 0, torch.qint8),
}
save("quantized.pt", quantized, quantized)
dynamic = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
packed = dynamic.state_dict()
layers = {}
for layer in ("0", "2"):
    layers[f"{layer}.weight"], layers[f"{layer}.bias"] = packed[f"{layer}._packed_params._packed_params"]
save("quantized-layers.pt", packed, layers)

refused = {
    "module.pt": model,
    "meta.pt": {"a": torch.zeros(3, device="meta")},
    "sparse.pt": {"a": torch.eye(3).to_sparse()},
    "conjugate.pt": {"a": torch.ones(2, dtype=torch.complex64).conj()},
}
for name, what in refused.items():
    torch.save(what, folder / name)

(folder / "expected.json").write_text(json.dumps(expected))
