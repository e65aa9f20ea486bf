"""GGUF files as the gguf package writes them, and what the package itself makes of their tensors.

Writes FOLDER/types.gguf (one tensor of every type that qgemm reads), FOLDER/keys.gguf (all 13 value types),
FOLDER/model.gguf (a small model in Q4_K and others), FOLDER/model.safetensors, FOLDER/rows.* and FOLDER/expected.json: for each tensor type, shape and the SHA-256
of its float32 bytes; for float32 rows the blocks that the package quantizes them to.
"""

import hashlib
import json
import sys
from pathlib import Path

import gguf
import numpy as np
import safetensors.numpy
from gguf import GGMLQuantizationType as Type
from gguf.constants import GGML_QUANT_SIZES

# Where the float16 (2 bytes) and float32 (4) fields of a block lie.
SCALES = {
    Type.Q4_0: [(0, 2)],
    Type.Q4_1: [(0, 2), (2, 2)],
    Type.Q5_0: [(0, 2)],
    Type.Q5_1: [(0, 2), (2, 2)],
    Type.Q8_0: [(0, 2)],
    Type.Q2_K: [(80, 2), (82, 2)],
    Type.Q3_K: [(108, 2)],
    Type.Q4_K: [(0, 2), (2, 2)],
    Type.Q5_K: [(0, 2), (2, 2)],
    Type.Q6_K: [(208, 2)],
    Type.Q8_K: [(0, 4)],
    Type.IQ4_NL: [(0, 2)],
    Type.IQ4_XS: [(0, 2)],
    Type.MXFP4: [],
    Type.NVFP4: [],
    Type.IQ1_S: [(0, 2)],
    Type.IQ1_M: [(54, 2)],  # the upper quarter of d
    Type.IQ2_XXS: [(0, 2)],
    Type.IQ2_XS: [(0, 2)],
    Type.IQ2_S: [(0, 2)],
    Type.IQ3_XXS: [(0, 2)],
    Type.IQ3_S: [(0, 2)],
    Type.TQ1_0: [(52, 2)],
    Type.TQ2_0: [(64, 2)],
}
PLAIN = {
    "F32": np.float32,
    "F16": np.float16,
    "F64": np.float64,
    "I8": np.int8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
}
random = np.random.default_rng(20261123)


def random_blocks(kind: Type, rows: int, columns: int) -> np.ndarray:
    """Any bits, but no scale that is NaN or infinite: their payloads are nobody's promise."""
    elements, size = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (rows * columns // elements, size), dtype=np.uint8)
    for offset, width in SCALES[kind]:
        if width == 2:
            blocks[:, offset + 1] &= 0xBF
        else:
            d = random.normal(size=len(blocks)).astype("<f4")
            blocks[:, offset : offset + 4] = d.view(np.uint8).reshape(-1, 4)
    return blocks.reshape(rows, -1)


def dequantize(data: np.ndarray, kind: Type, columns: int) -> np.ndarray:
    if kind == Type.Q8_K:  # the package has no reader for it: d * code, as ggml's dequantize_row_q8_K
        blocks = data.reshape(-1, 292)
        return (blocks[:, :4].view("<f4") * blocks[:, 4:260].view(np.int8).astype(np.float32)).reshape(-1, columns)
    return gguf.quants.dequantize(data, kind)


def sha256(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def make_types(path: Path) -> dict:
    writer = gguf.GGUFWriter(path, "interop")
    expected = {}
    for kind in SCALES:
        rows, columns = 37, 1024
        data = random_blocks(kind, rows, columns)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        values = dequantize(data, kind, columns)
        expected[kind.name] = {"type": kind.name, "shape": [rows, columns], "sha256": sha256(values.astype("<f4"))}
    for name, dtype in PLAIN.items():
        values = (random.normal(size=(3, 4, 5)) * 50).astype(dtype)
        writer.add_tensor(name, values)
        expected[name] = {"type": name, "shape": [3, 4, 5], "sha256": sha256(values)}
    values = gguf.quants.quantize(random.normal(size=(4, 6)).astype(np.float32), Type.BF16)
    writer.add_tensor("BF16", values, raw_dtype=Type.BF16)
    expected["BF16"] = {"type": "BF16", "shape": [4, 6], "sha256": sha256(values)}
    finish(writer)
    return expected


def make_keys(path: Path) -> dict:
    writer = gguf.GGUFWriter(path, "interop")
    writer.add_uint8("t.uint8", 255)
    writer.add_int8("t.int8", -128)
    writer.add_uint16("t.uint16", 65535)
    writer.add_int16("t.int16", -32768)
    writer.add_uint32("t.uint32", 2**32 - 1)
    writer.add_int32("t.int32", -(2**31))
    writer.add_float32("t.float32", 1e-5)
    writer.add_bool("t.bool", True)
    writer.add_string("t.string", "gr\u00fc\u00df dich \U0001f600")
    writer.add_array("t.array", ["a", "\u00e9"])
    writer.add_array("t.numbers", [1, 2, 3])
    writer.add_array("t.long", [f"token {i}" for i in range(5000)])
    writer.add_uint64("t.uint64", 2**64 - 1)
    writer.add_int64("t.int64", -(2**63))
    writer.add_float64("t.float64", 0.1)
    writer.add_custom_alignment(128)
    writer.add_tensor("x.weight", np.ones((2, 3), np.float32))
    finish(writer)
    return {
        "t.uint8": "255",
        "t.int8": "-128",
        "t.uint16": "65535",
        "t.int16": "-32768",
        "t.uint32": "4294967295",
        "t.int32": "-2147483648",
        "t.float32": "0.00001",
        "t.bool": "true",
        "t.string": "gr\u00fc\u00df dich \U0001f600",
        "t.array": '["a","\u00e9"]',
        "t.numbers": "[1,2,3]",
        "t.uint64": "18446744073709551615",
        "t.int64": "-9223372036854775808",
        "t.float64": "0.1",
        "general.alignment": "128",
    }


def make_model(path: Path) -> None:
    """What qgemm converts to GGUF again: weights in several types, a table, a norm, a bias."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("interop")
    writer.add_array("tokenizer.ggml.tokens", [f"token {i}" for i in range(300)])
    for name, shape, kind in [
        ("token_embd.weight", (300, 256), Type.Q6_K),
        ("blk.0.attn_q.weight", (256, 256), Type.Q4_K),
        ("blk.0.ffn_up.weight", (96, 256), Type.Q8_0),
    ]:
        writer.add_tensor(name, random_model_blocks(kind, shape), raw_dtype=kind)
    writer.add_tensor("blk.0.ffn_down.weight", random.normal(size=(256, 96)).astype(np.float32))
    writer.add_tensor("blk.0.ffn_down.bias", random.normal(size=256).astype(np.float32))
    writer.add_tensor("blk.0.ffn_norm.weight", random.normal(size=256).astype(np.float32))
    writer.add_tensor("output.weight", random.normal(size=(40, 256)).astype(np.float16))
    finish(writer)


def random_model_blocks(kind: Type, shape: tuple[int, int]) -> np.ndarray:
    """Codes at random with scales of a real model's size."""
    blocks = random_blocks(kind, *shape).reshape(-1, GGML_QUANT_SIZES[kind][1])
    for offset, width in SCALES[kind]:
        d = (random.random(len(blocks)) * 0.01).astype("<f2" if width == 2 else "<f4")
        blocks[:, offset : offset + width] = d.view(np.uint8).reshape(-1, width)
    return blocks.reshape(shape[0], -1)


def make_quantized(folder: Path) -> dict:
    """Rows as float32, with what the package makes of them in Q8_0 and F16."""
    rows = (random.normal(size=(64, 256)) * np.exp(random.normal(size=(64, 1)) * 3)).astype("<f4")
    rows[0] = 0
    rows[1] = np.repeat(np.arange(128, dtype="<f4") - 63.5, 2)  # every code is a tie or nearly one
    rows[2, ::32] = 127
    rows[2, 1::2] = np.arange(128, dtype="<f4") / 2 - 32
    rows[3] = 1e-36  # d is 0 in float16, the codes are not
    (folder / "rows.f32").write_bytes(rows.tobytes())
    (folder / "rows.q8_0").write_bytes(gguf.quants.quantize(rows, Type.Q8_0).tobytes())
    (folder / "rows.f16").write_bytes(rows.astype("<f2").tobytes())
    return {"shape": list(rows.shape)}


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    expected = {
        "types": make_types(folder / "types.gguf"),
        "keys": make_keys(folder / "keys.gguf"),
        "rows": make_quantized(folder),
    }
    make_model(folder / "model.gguf")
    tensors = {"a.weight": random.normal(size=(48, 96)).astype("<f4"), "b": np.arange(6, dtype="<f4")}
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    (folder / "expected.json").write_text(json.dumps(expected, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
