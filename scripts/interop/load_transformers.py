"""Loads folders that qgemm wrote with transformers, runs them, and compares with the models that they were made from.

Usage: load_transformers.py JSON, a list of {"original", "converted", "values", "texts"}; where there are no texts, token ids are
random. Writes the weights that transformers has after decompression to `values` (safetensors), and prints a list of objects:
the least cosine of the outputs of a token with those of the original, with weights quantized only (`weights`) and with
activations too (`activations`), and how many linear layers were int8 when they had been loaded (`int8`).
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoTokenizer
from transformers.utils.quantization_config import CompressedTensorsConfig


def linears(model):
    return {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}


def check(original, converted, values, texts):
    config = AutoConfig.from_pretrained(original)
    architecture = getattr(transformers, config.architectures[0])
    if texts:
        inputs = dict(AutoTokenizer.from_pretrained(converted)(texts, padding=True, return_tensors="pt"))
    else:
        generator = torch.Generator().manual_seed(1)
        inputs = {"input_ids": torch.randint(0, config.vocab_size, (4, 17), generator=generator)}
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])

    def load(folder, **options):
        return architecture.from_pretrained(folder, dtype=torch.float32, **options).eval()

    def outputs(model):
        with torch.no_grad():
            return model(**inputs)[0].float()[inputs["attention_mask"].bool()]

    def cosine(model):
        return torch.nn.functional.cosine_similarity(outputs(model), expected, dim=-1).min().item()

    expected = outputs(load(original))
    model = load(converted)
    int8 = sum(module.weight.dtype == torch.int8 for module in linears(model).values())
    activations = cosine(model)

    model = load(converted, quantization_config=CompressedTensorsConfig(run_compressed=False))
    weights = {f"{name}.weight": module.weight.detach().clone() for name, module in linears(model).items()}
    save_file(weights, values)
    for module in model.modules():
        module.quantization_enabled = False
    return {"int8": int8, "activations": activations, "weights": cosine(model)}


print(json.dumps([check(**one) for one in json.loads(sys.argv[1])]))
