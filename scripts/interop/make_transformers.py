"""Small models with random weights, as transformers saves them.

Writes FOLDER/<name>/: `llama` with an output layer of its own, in several files; `llama-tied`, whose output layer is its
embedding and not in the file; `bert` with the head of a masked language model, whose last layer is tied too; `bert-half` in float16.
"""

import sys
from pathlib import Path

import torch
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM

torch.manual_seed(20261126)
folder = Path(sys.argv[1])
llama = {
    "vocab_size": 160,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
bert = BertConfig(
    vocab_size=160, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, initializer_range=0.3
)
models = {
    "llama": LlamaForCausalLM(LlamaConfig(**llama, tie_word_embeddings=False, initializer_range=0.3)),
    "llama-tied": LlamaForCausalLM(LlamaConfig(**llama, tie_word_embeddings=True, initializer_range=0.3)),
    "bert": BertForMaskedLM(bert),
    "bert-half": BertForMaskedLM(bert).half(),
}
for name, model in models.items():
    model.save_pretrained(folder / name, max_shard_size="80kB" if name == "llama" else "5GB")
