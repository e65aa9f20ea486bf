"""Loads compressed-tensors folders with vLLM and says what it made of them.

Takes JSON: a list of folders. Prints JSON as its last line, for each one: `layers`, the scheme and the kernel that vLLM chose
for each of its layers; `tensors`, how many tensors of the file have come into it; `wrong`, those that have not, or with other
bytes; `float`, `int8` and `vllm`, the log probabilities of every token at every position of some prompts: of transformers with
the dequantized weights, of the same with activations rounded to int8 as the file says, and of vLLM.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["VLLM_NO_USAGE_STATS"] = "1"
os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
os.environ["VLLM_CPU_KVCACHE_SPACE"] = "1"
os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from transformers.utils.quantization_config import CompressedTensorsConfig
from vllm import LLM, SamplingParams
from vllm.model_executor.layers.linear import UnquantizedLinearMethod
from vllm.model_executor.layers.quantization.compressed_tensors.schemes import CompressedTensorsW8A8Int8

FUSED = {"qkv_proj": ["q_proj", "k_proj", "v_proj"], "gate_up_proj": ["gate_proj", "up_proj"]}
PROMPTS = [[1, 5, 9, 17, 33, 65, 129, 2], [3] * 8, list(range(40, 72))]

# The kernels keep the weights in a layout of their own: what was loaded is looked at before.
loaded = {}


def look_before(method):
    process = method.process_weights_after_loading

    def remember(self, layer):
        loaded[id(layer)] = {name: value.detach().clone() for name, value in layer.named_parameters(recurse=False)}
        process(self, layer)

    method.process_weights_after_loading = remember


look_before(CompressedTensorsW8A8Int8)
look_before(UnquantizedLinearMethod)


def compare(model, file):
    """The names of the file's tensors that some layer has, and of those that it has with other values."""
    found, wrong = [], []
    for name, module in model.named_modules():
        own = loaded.get(id(module)) or {key: value.detach() for key, value in module.named_parameters(recurse=False)}
        path, _, last = name.rpartition(".")
        parts = [f"{path}.{part}" for part in FUSED[last]] if last in FUSED else [name]
        for key, value in own.items():
            names = [f"{part}.{key}" for part in parts]
            if any(one not in file for one in names):
                continue
            expected = torch.cat([file[one] for one in names])
            # Vocabularies are padded with zeros to a multiple of 64.
            same = value.dtype == expected.dtype and torch.equal(value[: len(expected)], expected)
            if not same or value[len(expected) :].any():
                wrong += names
            found += names
    return found, wrong


def describe(model):
    quantized = {name: module for name, module in model.named_modules() if hasattr(module, "scheme")}
    return {name: [type(one.scheme).__name__, type(one.scheme.kernel).__name__] for name, one in quantized.items()}


def by_vllm(folder):
    loaded.clear()
    llm = LLM(folder, skip_tokenizer_init=True, dtype="float32", enforce_eager=True, max_model_len=64, max_num_seqs=4, max_logprobs=-1)
    [layers] = llm.apply_model(describe)
    file = load_file(f"{folder}/model.safetensors")
    [(found, wrong)] = llm.apply_model(lambda model: compare(model, file))
    wrong += sorted(set(file) - set(found))
    options = SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=-1, detokenize=False)
    outputs = llm.generate([{"prompt_token_ids": prompt} for prompt in PROMPTS], options, use_tqdm=False)
    rows = [row for output in outputs for row in output.prompt_logprobs[1:]]
    vllm = [[row[token].logprob for token in range(len(row))] for row in rows]
    return {"layers": layers, "tensors": len(found), "wrong": wrong, "vllm": vllm}


def by_transformers(folder, activations):
    config = CompressedTensorsConfig(run_compressed=False)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, quantization_config=config).eval()
    for module in model.modules():
        module.quantization_enabled = activations
    with torch.no_grad():
        logits = [model(torch.tensor([prompt])).logits[0, :-1] for prompt in PROMPTS]
    return torch.log_softmax(torch.cat(logits).float(), dim=-1).tolist()


def check(folder):
    figures = by_vllm(folder)
    return {**figures, "float": by_transformers(folder, False), "int8": by_transformers(folder, True)}


print(json.dumps([check(folder) for folder in json.loads(sys.argv[1])]))
