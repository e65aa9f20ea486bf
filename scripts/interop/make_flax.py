"""Checkpoints as Flax writes them, and what Flax itself reads from them.

Writes FOLDER/*.msgpack and FOLDER/expected.json: for each file its arrays by name (keys joined by slashes), with dtype, shape
and the SHA-256 of their bytes. `model.msgpack` has a layer whose output is in there too; `chunked.msgpack` is cut into chunks,
with a smaller limit than the one of 1 GiB that Flax has; `sharded/` is one checkpoint in two files with an index.
"""

import hashlib
import json
import sys
from pathlib import Path

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen, serialization
from flax.training.train_state import TrainState
from flax.traverse_util import flatten_dict, unflatten_dict

folder = Path(sys.argv[1])
(folder / "sharded").mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(0)


class Model(linen.Module):
    @linen.compact
    def __call__(self, ids):
        x = linen.Embed(11, 8, name="embed")(ids)
        x = linen.MultiHeadDotProductAttention(num_heads=2, name="attention")(x)
        x = linen.BatchNorm(use_running_average=True)(linen.LayerNorm()(x))
        return linen.Dense(5, name="dense")(linen.gelu(linen.Dense(16, use_bias=False, name="up")(x)))


def describe(tree):
    arrays = {name: np.asarray(array) for name, array in flatten_dict(tree, sep="/").items()}
    return {
        name: {"dtype": array.dtype.name, "shape": array.shape, "sha256": hashlib.sha256(array.tobytes()).hexdigest()}
        for name, array in arrays.items()
    }


def write(name, data):
    (folder / f"{name}.msgpack").write_bytes(data)
    expected[f"{name}.msgpack"] = describe(serialization.msgpack_restore(data))


expected = {}
variables = Model().init(jax.random.key(0), jnp.zeros((1, 3), jnp.int32))
x = jnp.asarray(random.standard_normal((4, 16)), jnp.float32)
dense = variables["params"]["dense"]
expected["layer"] = {"x": x.ravel().tolist(), "y": linen.Dense(5).apply({"params": dense}, x).ravel().tolist()}
write("model", serialization.to_bytes(variables))
write("frozen", serialization.to_bytes(flax.core.freeze(variables)))
half = jax.tree_util.tree_map(lambda array: array.astype(jnp.bfloat16), variables)
write("bfloat16", serialization.to_bytes(half))

state = TrainState.create(apply_fn=None, params=variables["params"], tx=optax.adam(0.1))
(folder / "state.msgpack").write_bytes(serialization.to_bytes(state))
restored = serialization.msgpack_restore((folder / "state.msgpack").read_bytes())
expected["state.msgpack"] = describe({"params": restored["params"]})

names = "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 bfloat16 float32 float64 complex64"
names += " float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz"
arrays = {name: (random.standard_normal((3, 5)) * 50).astype(np.dtype(name)) for name in names.split()}
arrays["scalar"] = np.float32(2.5)
arrays["empty"] = np.zeros((0, 3), np.float32)
arrays["many"] = {f"layer_{i}": np.full((3,), i, np.float32) for i in range(300)}
write("dtypes", serialization.msgpack_serialize(arrays))
(folder / "complex.msgpack").write_bytes(serialization.msgpack_serialize({"a": arrays["float64"] + 1j}))

serialization.MAX_CHUNK_SIZE = 1000
large = {"a": random.standard_normal((30, 40)).astype(np.float32), "b": {"c": jnp.ones((7, 100), jnp.bfloat16)}}
write("chunked", serialization.msgpack_serialize(large))

flat = flatten_dict(variables, sep="/")
parts = {f"flax_model-0000{i + 1}-of-00002.msgpack": list(flat)[i::2] for i in range(2)}
for name, keys in parts.items():
    tree = unflatten_dict({key: flat[key] for key in keys}, sep="/")
    (folder / "sharded" / name).write_bytes(serialization.to_bytes(tree))
index = {"metadata": {}, "weight_map": {key: name for name, keys in parts.items() for key in keys}}
(folder / "sharded" / "flax_model.msgpack.index.json").write_text(json.dumps(index))
expected["sharded"] = describe(variables)

(folder / "expected.json").write_text(json.dumps(expected))
