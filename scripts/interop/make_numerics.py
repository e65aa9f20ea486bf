"""Weights in float32, and the same weights as the originals quantize them: what `convert --numerics` must give, code for code.

Writes into FOLDER: float.safetensors; torch-<granularity>-<range>.pt, quantized by PyTorch's MinMax observers and the operators
of its exported graphs (quantized_decomposed); torch-2.13-<granularity>.pt, asymmetric, by quantize_per_tensor and
quantize_per_channel, which in 2.13 alone round otherwise; layers.pt and layers-<granularity>.pt, a model before and after
quantize_dynamic; ggml.gguf, Q8_0 by the gguf package. (What onnxruntime and compressed-tensors give is made by make_onnx.py and
make_compressed.py.)
"""

import sys
import warnings
from pathlib import Path

import gguf
import torch
import torch.ao.quantization.fx._decomposed  # registers torch.ops.quantized_decomposed
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
    # Asymmetric, per channel, scales of 1/8 to 16: the range, then halves.
    "halves.weight": torch.stack(
        [torch.cat([torch.tensor([r - 100, r + 155]), torch.arange(-31, 31) + 0.5]) * 2.0 ** (r - 3) for r in range(8)]
    ),
}
save_file(weights, folder / "float.safetensors")

decomposed = torch.ops.quantized_decomposed


def by_tensor(weight, scale, zero_point):
    codes = decomposed.quantize_per_tensor(weight, scale.item(), zero_point.item(), -128, 127, torch.int8)
    return torch._make_per_tensor_quantized_tensor(codes, scale.item(), zero_point.item())


def by_channel(weight, scales, zero_points):
    codes = decomposed.quantize_per_channel(weight, scales, zero_points, 0, -128, 127, torch.int8)
    return torch._make_per_channel_quantized_tensor(codes, scales, zero_points, 0)


for range_name, scheme, channel_scheme in [
    ("symmetric", torch.per_tensor_symmetric, torch.per_channel_symmetric),
    ("asymmetric", torch.per_tensor_affine, torch.per_channel_affine),
]:
    tensors, channels, kernel_tensors, kernel_channels = {}, {}, {}, {}
    for name, weight in weights.items():
        observer = MinMaxObserver(dtype=torch.qint8, qscheme=scheme)
        observer(weight)
        qparams = observer.calculate_qparams()
        tensors[name] = by_tensor(weight, *qparams)
        kernel_tensors[name] = torch.quantize_per_tensor(weight, *qparams, torch.qint8)
        observer = PerChannelMinMaxObserver(ch_axis=0, dtype=torch.qint8, qscheme=channel_scheme)
        observer(weight)
        qparams = observer.calculate_qparams()
        channels[name] = by_channel(weight, *qparams)
        kernel_channels[name] = torch.quantize_per_channel(weight, *qparams, 0, torch.qint8)
    torch.save(tensors, folder / f"torch-per-tensor-{range_name}.pt")
    torch.save(channels, folder / f"torch-per-channel-{range_name}.pt")
    if range_name == "symmetric":
        # Without zero points all releases agree.
        assert all(torch.equal(tensors[name].int_repr(), kernel_tensors[name].int_repr()) for name in weights)
        assert all(torch.equal(channels[name].int_repr(), kernel_channels[name].int_repr()) for name in weights)
    else:
        torch.save(kernel_tensors, folder / "torch-2.13-per-tensor.pt")
        torch.save(kernel_channels, folder / "torch-2.13-per-channel.pt")

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
