"""ONNX models as the onnx and onnxruntime packages write them, and what they compute.

Writes into FOLDER: mlp.onnx (float32: MatMul and Add, Gemm both ways round, a 1x1 Conv, a weight in a branch of If and one in
a Constant node), mlp_external.onnx with its data in mlp_external.data, half.onnx (float16), types.onnx (every data type, as
raw and as typed data), dynamic_*.onnx (quantize_dynamic), static_*.onnx (quantize_static, QDQ), and expected.json: for each
model the SHA-256 of every tensor of types.onnx, and the codes, scales and zero points of the quantized weights.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

random = np.random.default_rng(20261123)
K, HIDDEN, N = 48, 72, 40


def initializer(name: str, *shape: int) -> TensorProto:
    return numpy_helper.from_array((random.normal(size=shape) / 6).astype(np.float32), name)


def branch(weight: str, name: str) -> onnx.GraphProto:
    output = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None)
    product = helper.make_node("MatMul", ["g2", weight], [f"{name}_out"])
    inner = [initializer("w_branch", N, N)] if weight == "w_branch" else []
    return helper.make_graph([product], name, [], [output], inner)


def make_mlp(opset: int = 17) -> onnx.ModelProto:
    """x [M, K] to y [M, N] by every operator that takes a weight."""
    constant = numpy_helper.from_array((random.normal(size=(N, N)) / 6).astype(np.float32), "")
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h1"]),
        helper.make_node("Add", ["h1", "b1"], ["a1"]),
        helper.make_node("Relu", ["a1"], ["r1"]),
        helper.make_node("Gemm", ["r1", "w2", "b2"], ["g1"], transB=1),
        helper.make_node("Gemm", ["g1", "w3"], ["g2"]),
        helper.make_node("If", ["flag"], ["i"], then_branch=branch("w_branch", "yes"), else_branch=branch("w4", "no")),
        helper.make_node("Unsqueeze", ["i", "axes"], ["u"]),
        helper.make_node("Conv", ["u", "w5", "b5"], ["c"]),
        helper.make_node("Squeeze", ["c", "axes"], ["s"]),
        helper.make_node("Constant", [], ["w6"], value=constant),
        helper.make_node("Transpose", ["w6"], ["w6t"], perm=[1, 0]),
        helper.make_node("MatMul", ["s", "w6t"], ["y"]),
    ]
    initializers = [
        initializer("w1", K, HIDDEN),
        initializer("b1", HIDDEN),
        initializer("w2", N, HIDDEN),
        initializer("b2", N),
        initializer("w3", N, N),
        initializer("w4", N, N),
        initializer("w5", N, N, 1),
        initializer("b5", N),
        numpy_helper.from_array(np.array([2], np.int64), "axes"),
    ]
    graph = helper.make_graph(
        nodes,
        "mlp",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["M", K]),
            helper.make_tensor_value_info("flag", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["M", N])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def make_plain(matmul: bool, dtype: np.dtype = np.float32) -> onnx.ModelProto:
    """x [M, K] . W + b twice, which the quantizers know."""
    elem = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    if matmul:
        nodes = [
            helper.make_node("MatMul", ["x", "w1"], ["h1"], "first"),
            helper.make_node("Add", ["h1", "b1"], ["a1"], "bias"),
        ]
        shapes = {"w1": (K, HIDDEN), "b1": (HIDDEN,), "w2": (HIDDEN, N)}
    else:
        nodes = [helper.make_node("Gemm", ["x", "w1", "b1"], ["a1"], "first", transB=1)]
        shapes = {"w1": (HIDDEN, K), "b1": (HIDDEN,), "w2": (HIDDEN, N)}
    nodes += [helper.make_node("Relu", ["a1"], ["r1"], "relu"), helper.make_node("MatMul", ["r1", "w2"], ["y"], "second")]
    values = {name: (random.normal(size=shape) / 6).astype(dtype) for name, shape in shapes.items()}
    values["w1"][3] += dtype(1)  # far from zero on average in one channel
    graph = helper.make_graph(
        nodes,
        "plain",
        [helper.make_tensor_value_info("x", elem, ["M", K])],
        [helper.make_tensor_value_info("y", elem, ["M", N])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def make_types(path: Path) -> dict:
    """Every data type that qgemm presents, as raw data and as typed data where onnx writes that."""
    tensors, expected = [], {}
    floats = random.normal(size=(3, 5)) * 10
    names = "FLOAT DOUBLE FLOAT16 BFLOAT16 INT8 UINT8 INT16 UINT16 INT32 UINT32 INT64 UINT64 BOOL INT4 UINT4 FLOAT8E4M3FN"
    for name in names.split():
        elem = TensorProto.DataType.Value(name)
        values = np.abs(floats) if name.startswith("U") else floats
        array = values.astype(helper.tensor_dtype_to_np_dtype(elem))
        for kind, tensor in [
            ("raw", numpy_helper.from_array(array, f"{name}_raw")),
            ("typed", helper.make_tensor(f"{name}_typed", elem, array.shape, array.flatten())),
        ]:
            assert tensor.HasField("raw_data") == (kind == "raw"), tensor.name
            # 4-bit types take a byte each in numpy too.
            raw = array.astype(np.int8 if name == "INT4" else np.uint8).tobytes() if "INT4" in name else array.tobytes()
            tensors.append(tensor)
            expected[tensor.name] = hashlib.sha256(raw).hexdigest()
    graph = helper.make_graph([], "types", [], [], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return expected


class Rows(CalibrationDataReader):
    def __init__(self) -> None:
        self.rows = iter([{"x": random.normal(size=(16, K)).astype(np.float32)} for _ in range(4)])

    def get_next(self) -> dict | None:
        return next(self.rows, None)


def weights_of(path: Path) -> dict:
    """Codes, scales and zero points of the weights that a quantizer wrote, by the names of its initializers."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    found = {}
    for name, codes in arrays.items():
        stem = name.removesuffix("_quantized")
        if stem == name or codes.ndim != 2:
            continue
        scale, zero_point = arrays[f"{stem}_scale"], arrays[f"{stem}_zero_point"]
        found[name] = {
            "sha256": hashlib.sha256(codes.tobytes()).hexdigest(),
            "dtype": str(codes.dtype),
            "scales": [float(value) for value in scale.flatten()],
            "zeroPoints": [int(value) for value in zero_point.flatten()],
        }
    return found


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    mlp = make_mlp()
    onnx.save(mlp, folder / "mlp.onnx")
    (folder / "mlp_external.data").unlink(missing_ok=True)
    onnx.save(
        mlp,
        folder / "mlp_external.onnx",
        save_as_external_data=True,
        location="mlp_external.data",
        size_threshold=256,
        convert_attribute=True,
    )
    onnx.save(make_mlp(13), folder / "mlp_13.onnx")
    onnx.save(make_plain(True, np.float16), folder / "half.onnx")
    expected = {"types": make_types(folder / "types.onnx"), "weights": {}}
    for kind, matmul in [("matmul", True), ("gemm", False)]:
        plain = folder / f"{kind}.onnx"
        onnx.save(make_plain(matmul), plain)
        for per_channel in [False, True]:
            for dtype in [QuantType.QInt8, QuantType.QUInt8]:
                suffix = f"{kind}_{'channel' if per_channel else 'tensor'}_{dtype.name}.onnx"
                path = folder / f"dynamic_{suffix}"
                quantize_dynamic(plain, path, per_channel=per_channel, weight_type=dtype)
                expected["weights"][path.name] = weights_of(path)
            path = folder / f"static_{kind}_{'channel' if per_channel else 'tensor'}.onnx"
            quantize_static(plain, path, Rows(), QuantFormat.QDQ, per_channel=per_channel, weight_type=QuantType.QInt8)
            expected["weights"][path.name] = weights_of(path)
    (folder / "expected.json").write_text(json.dumps(expected))


main(Path(sys.argv[1]))
