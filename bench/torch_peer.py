"""PyTorch's dynamically quantized Linear as a peer of npm run bench (bench/torch.mjs).

Reads one JSON request per line from standard input and answers each with one line. Arrays travel in files.
"""

import json
import sys
import time
import warnings

warnings.filterwarnings("ignore")  # NumPy is not needed, and everybody knows that this module is to be replaced
import torch  # noqa: E402
from torch.ao.nn.quantized import dynamic  # noqa: E402


def read(path, dtype):
    with open(path, "rb") as file:
        return torch.frombuffer(bytearray(file.read()), dtype=dtype)


class Peer:
    def __init__(self):
        self.layers = {}
        self.x = None

    def hello(self, request):
        supported = torch.backends.quantized.supported_engines
        return {"version": torch.__version__, "engines": [e for e in request["engines"] if e in supported]}

    def weights(self, request):
        """The same int8 codes [n, k] and scales [n] as ours, packed by each engine, for each of the layers."""
        n, k = request["n"], request["k"]
        codes = read(request["codes"], torch.int8).reshape(n, k)
        scales = read(request["scales"], torch.float32).double()
        weight = torch._make_per_channel_quantized_tensor(codes, scales, torch.zeros(n, dtype=torch.int64), 0)
        self.layers = {}
        for engine in request["engines"]:
            torch.backends.quantized.engine = engine
            self.layers[engine] = [self.pack(weight, k, n) for _ in range(request["layers"])]
        return {}

    @staticmethod
    def pack(weight, k, n):
        layer = dynamic.Linear(k, n, bias_=False)
        layer.set_weight_bias(weight, None)
        return layer

    def input(self, request):
        torch.set_num_threads(request["threads"])
        self.x = read(request["x"], torch.float32).reshape(request["m"], -1)
        return {}

    def result(self, request):
        y = self.layers[request["engine"]][0](self.x).contiguous()
        with open(request["y"], "wb") as file:
            file.write(bytes(y.untyped_storage()))
        return {}

    def time(self, request):
        """Repeats are a multiple of the layers, which take turns."""
        layers, x, repeats = self.layers[request["engine"]], self.x, request["repeats"]
        start = time.perf_counter_ns()
        for _ in range(repeats // len(layers)):
            for layer in layers:
                layer(x)
        return {"milliseconds": (time.perf_counter_ns() - start) / 1e6 / repeats}


def main():
    peer = Peer()
    with torch.inference_mode():
        for line in sys.stdin:
            request = json.loads(line)
            answer = getattr(peer, request.pop("do"))(request)
            print(json.dumps(answer), flush=True)


main()
