"""`transformers`' GPT-2 in the loop that its users write by hand: batch, loss, backward, clipping, AdamW.

The model is the library's own class, from a config of the sizes asked for; nothing of it is rebuilt. Its fused
attention is on, as by default; the cache, of no use in training, is off. What it reads and expects are the windows
that the others have.
"""

from pathlib import Path

import torch
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

from peers.nanogpt import NanoSettings, NanoSizes, batch_of


def model_of(sizes: NanoSizes) -> GPT2LMHeadModel:
    """GPT-2 of these sizes."""
    rates = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), sizes.dropout)
    shape = {"n_positions": sizes.max_len, "n_embd": sizes.d_model, "n_layer": sizes.n_layers, "n_head": sizes.n_heads}
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    return GPT2LMHeadModel(GPT2Config(vocab_size=sizes.vocab_size, use_cache=False, **shape, **rates, **ends))


class Training:
    """The plain loop: one call is one step."""

    def __init__(self, path: Path, sizes: NanoSizes, settings: NanoSettings) -> None:
        self.path, self.sizes, self.settings = path, sizes, settings
        self.model = model_of(sizes).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=settings.rate, weight_decay=settings.decay)

    def __call__(self) -> float:
        """Take one step; its loss."""
        read, expected = batch_of(self.path, self.sizes, self.settings)
        self.optimizer.zero_grad()
        loss = functional.cross_entropy(self.model(input_ids=read).logits.flatten(0, 1), expected.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimizer.step()
        return loss.item()
