"""Arrays as NumPy writes them, and what NumPy itself makes of them.

Writes FOLDER/*.npy, FOLDER/*.npz and FOLDER/expected.json: for each file its arrays by name, with dtype, shape and the SHA-256
of their bytes, row-major and little-endian.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(0)
# Version 3.0 warns that old readers do not know it.
warnings.filterwarnings("ignore")


def describe(array):
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    return {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": hashlib.sha256(little.tobytes()).hexdigest()}


expected = {}
arrays = {}
for name in "float64 float32 float16 int64 int32 int16 int8 uint64 uint32 uint16 uint8 bool complex64".split():
    values = (random.standard_normal((5, 7)) * 50).astype(name)
    arrays[f"little.{name}"] = values
    arrays[f"big.{name}"] = values.astype(values.dtype.newbyteorder(">"))
    arrays[f"fortran.{name}"] = np.asfortranarray(values)
arrays["scalar"] = np.array(2.5, dtype=np.float32)
arrays["empty"] = np.zeros((0, 3), dtype=np.float32)
arrays["cube"] = np.asfortranarray(random.standard_normal((2, 3, 4)).astype(np.float32))
arrays["large"] = np.asfortranarray(random.standard_normal((900, 3000)).astype(np.float32))

np.savez(folder / "stored.npz", **arrays)
np.savez_compressed(folder / "compressed.npz", **arrays)
expected["stored.npz"] = expected["compressed.npz"] = {name: describe(array) for name, array in arrays.items()}
for version in ((1, 0), (2, 0), (3, 0)):
    name = f"version-{version[0]}"
    with open(folder / f"{name}.npy", "wb") as file:
        npy.write_array(file, arrays["little.float32"], version=version)
    expected[f"{name}.npy"] = {name: describe(arrays["little.float32"])}

np.save(folder / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
np.save(folder / "records.npy", np.zeros(3, dtype=[("a", "<f4"), ("b", "<i4")]))
np.save(folder / "strings.npy", np.array(["a", "bc"]))

(folder / "expected.json").write_text(json.dumps(expected))
