"""Weights in float32, and the same weights as the originals quantize them: what `convert --numerics` must give, code for code.

Writes into FOLDER: float.safetensors; torch-<granularity>-<range>.pt, quantized by PyTorch's MinMax observers; layers.pt and
layers-<granularity>.pt, a model before and after quantize_dynamic; ggml.gguf, Q8_0 by the gguf package. (What onnxruntime and
compressed-tensors give is made by make_onnx.py and make_compressed.py.)
"""

import sys
import warnings
from pathlib import Path

import gguf
import torch
from safetensors.torch import save_file
from torch import nn
from torch.ao.quantization import MinMaxObserver, PerChannelMinMaxObserver, per_channel_dynamic_qconfig, quantize_dynamic

# torch announces the end of its quantized tensors at every use.
warnings.filterwarnings("ignore")
torch.manual_seed(20261126)
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)

weights = {
    "gauss.weight": torch.randn(96, 192),
    "narrow.weight": torch.randn(33, 64) * 0.02 + 0.01,
    "spread.weight": torch.randn(40, 96) * torch.exp(torch.randn(40, 1) * 3),
    "zeros.weight": torch.cat([torch.zeros(3, 64), torch.randn(5, 64)]),
    "tiny.weight": torch.randn(4, 32) * 1e-9,
    "positive.weight": torch.rand(17, 160),
    # Values that lie between two codes: ties decide how the original rounds.
    "ties.weight": torch.cat([torch.full((1, 1), 127.5), torch.arange(-63.5, 63.5)[None, :]], dim=1),
    "large.weight": torch.randn(600, 2048),
}
save_file(weights, folder / "float.safetensors")

for range_name, scheme, channel_scheme in [
    ("symmetric", torch.per_tensor_symmetric, torch.per_channel_symmetric),
    ("asymmetric", torch.per_tensor_affine, torch.per_channel_affine),
]:
    tensors, channels = {}, {}
    for name, weight in weights.items():
        observer = MinMaxObserver(dtype=torch.qint8, qscheme=scheme)
        observer(weight)
        scale, zero_point = observer.calculate_qparams()
        tensors[name] = torch.quantize_per_tensor(weight, scale, zero_point, torch.qint8)
        observer = PerChannelMinMaxObserver(ch_axis=0, dtype=torch.qint8, qscheme=channel_scheme)
        observer(weight)
        channels[name] = torch.quantize_per_channel(weight, *observer.calculate_qparams(), 0, torch.qint8)
    torch.save(tensors, folder / f"torch-per-tensor-{range_name}.pt")
    torch.save(channels, folder / f"torch-per-channel-{range_name}.pt")

layers = nn.Sequential(nn.Linear(96, 72), nn.ReLU(), nn.Linear(72, 40, bias=False))
torch.save(layers.state_dict(), folder / "layers.pt")
torch.save(quantize_dynamic(layers, {nn.Linear}, dtype=torch.qint8).state_dict(), folder / "layers-per-tensor.pt")
per_channel = quantize_dynamic(layers, {nn.Linear: per_channel_dynamic_qconfig})
torch.save(per_channel.state_dict(), folder / "layers-per-channel.pt")

writer = gguf.GGUFWriter(folder / "ggml.gguf", "unknown")
for name, weight in weights.items():
    blocks = gguf.quants.quantize(weight.numpy(), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor(name, blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
