"""Two small Llama models with random weights: FOLDER/llama and FOLDER/llama-tied. (vLLM's attention for CPUs wants heads of 32.)"""

import sys
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(20261126)
shape = {
    "vocab_size": 160,
    "hidden_size": 128,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
}
for name, tied in [("llama", False), ("llama-tied", True)]:
    model = LlamaForCausalLM(LlamaConfig(**shape, tie_word_embeddings=tied, initializer_range=0.1))
    model.save_pretrained(Path(sys.argv[1]) / name)
