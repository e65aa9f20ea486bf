"""Prints what the gguf package reads of a GGUF file, as JSON: keys, and for each tensor type, shape and the SHA-256 of the
float32 values (of the bytes for integers)."""

import hashlib
import json
import sys

import gguf
import numpy as np


def value_of(field: gguf.ReaderField):
    value = field.contents()
    return len(value) if isinstance(value, list) else value


def digest(tensor: gguf.ReaderTensor) -> str:
    values = tensor.data
    if tensor.tensor_type.name[0] != "I":
        values = gguf.quants.dequantize(np.ascontiguousarray(values), tensor.tensor_type)
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


reader = gguf.GGUFReader(sys.argv[1])
print(
    json.dumps(
        {
            "keys": {name: value_of(field) for name, field in reader.fields.items()},
            "tensors": {
                tensor.name: {
                    "type": tensor.tensor_type.name,
                    "shape": [int(dim) for dim in reversed(tensor.shape)],
                    "sha256": digest(tensor),
                }
                for tensor in reader.tensors
            },
        }
    )
)
