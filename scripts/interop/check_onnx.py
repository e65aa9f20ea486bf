"""Compares two ONNX models in onnxruntime: python check_onnx.py ORIGINAL CONVERTED.

Both are checked by onnx.checker and run on the same random inputs. Prints JSON: `cosine` and `error` (largest difference over
the largest value) of the outputs, and `weights`: what onnx makes of every DequantizeLinear of the converted model, as the
SHA-256 of its float32 bytes, by the name of its output.
"""

import hashlib
import json
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def feeds(session: onnxruntime.InferenceSession) -> list[dict]:
    random = np.random.default_rng(1)
    values = {}
    for item in session.get_inputs():
        if item.type != "tensor(bool)":
            shape = [size if isinstance(size, int) else 7 for size in item.shape]
            values[item.name] = random.normal(size=shape).astype(DTYPES[item.type])
    flags = [item.name for item in session.get_inputs() if item.type == "tensor(bool)"]
    return [{**values, **{name: np.array(flag) for name in flags}} for flag in ([True, False] if flags else [True])]


def outputs(path: str) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, feed)[0].flatten() for feed in feeds(session)]).astype(np.float64)


def graphs(graph: onnx.GraphProto):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)


def dequantized(path: str) -> dict:
    found = {}
    for graph in graphs(onnx.load(path).graph):
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "DequantizeLinear" and all(name in arrays for name in node.input):
                inputs = {name: arrays[name] for name in node.input}
                one = onnx.helper.make_graph(
                    [node],
                    "one",
                    [onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in inputs.items()],
                    [onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None)],
                )
                model = onnx.helper.make_model(one, opset_imports=[onnx.helper.make_opsetid("", 21)])
                value = ReferenceEvaluator(model).run(None, inputs)[0].astype("<f4")
                found[node.output[0]] = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    return found


def main(original: str, converted: str) -> None:
    onnx.checker.check_model(converted, full_check=True)
    a, b = outputs(original), outputs(converted)
    cosine = float(a @ b / np.sqrt((a @ a) * (b @ b)))
    print(json.dumps({"cosine": cosine, "error": float(np.abs(a - b).max() / np.abs(a).max()), "weights": dequantized(converted)}))


main(sys.argv[1], sys.argv[2])
