"""Writes onnxruntime.json: what onnxruntime gives for the operators that `numerics: 'onnx'` follows.

python3 -m venv venv && venv/bin/pip install onnxruntime==1.32.0 onnx==1.23.2 && venv/bin/python make-onnxruntime.py
"""

import json
import pathlib

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper
from onnxruntime.quantization.quant_utils import quantize_data

rng = np.random.default_rng(20261123)
DTYPES = {"int8": (TensorProto.INT8, np.int8), "uint8": (TensorProto.UINT8, np.uint8)}


def run(op, inputs, outputs, **attributes):
    def info(name, array):
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)

    node = helper.make_node(op, list(inputs), outputs, **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [info(name, array) for name, array in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def floats(array):
    """Shortest decimals that parse to the same float32."""
    return [float(np.format_float_scientific(v, unique=True)) for v in np.asarray(array, np.float32).ravel()]


def samples():
    yield "normal", rng.standard_normal(37).astype(np.float32)
    yield "wide", (rng.standard_normal(64) * 1e4).astype(np.float32)
    yield "narrow", (rng.standard_normal(64) * 1e-6).astype(np.float32)
    yield "positive", rng.random(33).astype(np.float32)
    yield "negative", -rng.random(33).astype(np.float32)
    yield "halves", (np.arange(-128, 128) / 2).astype(np.float32)
    yield "constant", np.full(9, 3, np.float32)
    yield "zeros", np.zeros(8, np.float32)
    yield "below the smallest scale", np.array([0, 1e-39, -2e-39], np.float32)
    yield "subnormal range", np.array([0, 1e-44], np.float32)


def dynamic():
    for name, x in samples():
        if name in ("below the smallest scale", "subnormal range"):
            continue  # onnxruntime divides by a scale of 0 or a subnormal there
        codes, scale, zero_point = run("DynamicQuantizeLinear", {"x": x}, ["y", "scale", "zp"])
        yield {"name": name, "x": floats(x), "q": codes.tolist(), "scale": floats(scale)[0], "zp": int(zero_point)}


def weights():
    for name, x in samples():
        for dtype, symmetric, reduced in [
            ("int8", True, False),
            ("int8", False, False),
            ("int8", True, True),
            ("int8", False, True),
            ("uint8", True, False),
            ("uint8", True, True),
        ]:
            zero_point, scale, codes = quantize_data(x, DTYPES[dtype][0], symmetric, reduced)
            yield {
                "name": name,
                "dtype": dtype,
                "symmetric": symmetric,
                "reduceRange": reduced,
                "x": floats(x),
                "q": codes.tolist(),
                "scale": floats(scale)[0],
                "zp": int(zero_point),
            }


def linear():
    for dtype, (_, np_dtype) in DTYPES.items():
        limits = np.iinfo(np_dtype)
        for shape, axis in [([4, 9], 0), ([4, 9], 1), ([2, 3, 5], 1), ([37], None)]:
            channels = 1 if axis is None else shape[axis]
            scale = (rng.random(channels) * 0.05 + 0.002).astype(np.float32)
            zp = rng.integers(limits.min, limits.max + 1, channels).astype(np_dtype)
            x = (rng.standard_normal(shape) * 3).astype(np.float32)
            x.ravel()[:4] = [np.float32(scale[0]) * 2.5, np.float32(scale[0]) * -3.5, 1e30, -1e30]
            attributes = {} if axis is None else {"axis": axis}
            if axis is None:
                scale, zp = scale[0], zp[0]
            inputs = {"x": x, "scale": np.array(scale), "zp": np.array(zp)}
            (codes,) = run("QuantizeLinear", inputs, ["y"], **attributes)
            (back,) = run("DequantizeLinear", {"q": codes, "scale": inputs["scale"], "zp": inputs["zp"]}, ["y"], **attributes)
            yield {
                "dtype": dtype,
                "shape": shape,
                "axis": axis,
                "scale": floats(scale),
                "zp": np.atleast_1d(zp).tolist(),
                "x": floats(x),
                "q": codes.ravel().tolist(),
                "dq": floats(back),
            }


def matmul():
    for a_dtype, (_, a_np) in DTYPES.items():
        for b_dtype, (_, b_np) in DTYPES.items():
            m, k, n = 3, 19, 5
            a_limits, b_limits = np.iinfo(a_np), np.iinfo(b_np)
            a = rng.integers(a_limits.min, a_limits.max + 1, (m, k)).astype(a_np)
            b = rng.integers(b_limits.min, b_limits.max + 1, (k, n)).astype(b_np)
            a_zp, b_zp = np.array(a_limits.max, a_np), np.array(b_limits.min, b_np)
            (c,) = run("MatMulInteger", {"a": a, "b": b, "az": a_zp, "bz": b_zp}, ["c"])
            exact = (a.astype(np.int64) - int(a_zp)) @ (b.astype(np.int64) - int(b_zp))
            assert (c == exact).all()
            yield {
                "aDtype": a_dtype,
                "bDtype": b_dtype,
                "m": m,
                "k": k,
                "n": n,
                "a": a.ravel().tolist(),
                "b": b.ravel().tolist(),
                "aZeroPoint": int(a_zp),
                "bZeroPoint": int(b_zp),
                "c": c.ravel().tolist(),
            }


golden = {
    "meta": {"onnxruntime": ort.__version__, "onnx": onnx.__version__},
    "dynamicQuantizeLinear": list(dynamic()),
    "quantizeData": list(weights()),
    "quantizeLinear": list(linear()),
    "matmulInteger": list(matmul()),
}
path = pathlib.Path(__file__).with_name("onnxruntime.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print(path.name, path.stat().st_size, "bytes")
