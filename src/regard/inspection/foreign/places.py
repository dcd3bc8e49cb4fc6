"""Where a foreign model attends: from the names of its modules to our addresses."""

import re
from typing import Any

from torch import nn

from regard.core.protocols import Site
from regard.inspection.trace import READ, SOURCE, TARGET

CROSS = re.compile(r"cross_?att|enc_?dec_?att|encoder_attn|encoder_decoder_att|cross_attn", re.IGNORECASE)
_STACK = re.compile(r"(?:^|\.)(encoder|decoder)(?:\.|$)")
_NUMBER = re.compile(r"\.(\d+)(?:\.|$)")


class Places:
    """Gives each attention its address as it runs; modules that several layers share are told by the order of calls."""

    def __init__(self, model: Any) -> None:
        self.names = {id(module): name for name, module in model.named_modules()}
        self.two_sides = bool(getattr(model.config, "is_encoder_decoder", False))
        self.writes = bool(getattr(model.config, "is_decoder", False)) or "CausalLM" in type(model).__name__
        self.sites: dict[str, Site] = {}
        self._met: set[str] = set()

    def begin(self) -> None:
        """The model starts anew: layers are counted from the first."""
        self._met = set()

    def address(self, module: nn.Module, n_heads: int) -> str:
        """The address of an attention that now runs."""
        name = self.names.get(id(module), type(module).__name__)
        stack, kind = self._stack(module, name), "cross" if CROSS.search(name) else "self"
        number = int(next(iter(_NUMBER.findall(name)), 0))
        while f"{stack}.layers.{number}.{kind}" in self._met:
            number += 1
        address = f"{stack}.layers.{number}.{kind}"
        self._met.add(address)
        self.sites.setdefault(address, Site(address, *self._sides(stack, kind), n_heads, name))
        return address

    def _stack(self, module: nn.Module, name: str) -> str:
        found = _STACK.search(name)
        if self.two_sides and found:
            return found[1]
        return "decoder" if getattr(module, "is_causal", self.writes) or CROSS.search(name) else "encoder"

    def _sides(self, stack: str, kind: str) -> tuple[str, str]:
        if kind == "cross":
            return TARGET, SOURCE
        return (SOURCE, SOURCE) if stack == "encoder" else (READ, READ)

    def ordered(self) -> tuple[Site, ...]:
        """All sites that were met: the encoder's, then the decoder's layers."""
        return tuple(sorted(self.sites.values(), key=lambda site: (not site.address.startswith("e"), site.layer)))
