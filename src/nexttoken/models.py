"""Models made of the exercises' functions: a GPT, a reward model, and an encoder-decoder.

Nothing is computed here that a chapter does not explain. The classes hold the parameters and call the
functions; where you have finished one, it is yours that runs. `READY_MADE` puts torch's own kernels
in their place: the same numbers, sooner.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from nexttoken.attention import causal_mask, padding_mask
from nexttoken.embeddings import embed
from nexttoken.qkv import merge_heads, project_qkv, scaled_dot_product_attention, split_heads
from nexttoken.reward_model import scalar_reward
from nexttoken.transformer import feed_forward, layer_norm, residual

Mask = Bool[Tensor, "*#batch time_q time_k"]


@dataclass(frozen=True)
class Kernels:
    """The functions that take most of the time, in two forms: written out, or torch's own."""

    attention: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]  # None: causal
    layer_norm: Callable[[Tensor, Tensor, Tensor], Tensor]
    feed_forward: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def _attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    mask = causal_mask(queries.shape[-2]).to(queries.device) if mask is None else mask
    return scaled_dot_product_attention(queries, keys, values, mask)


def _ready_made_attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    attend = functional.scaled_dot_product_attention
    return attend(queries, keys, values, attn_mask=mask, is_causal=mask is None)


def _ready_made_norm(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], gain, bias)


def _ready_made_feed_forward(x: Tensor, w_in: Tensor, b_in: Tensor, w_out: Tensor, b_out: Tensor) -> Tensor:
    hidden = functional.gelu(functional.linear(x, w_in.T, b_in))
    return functional.linear(hidden, w_out.T, b_out)


YOURS = Kernels(_attend, layer_norm, feed_forward)
READY_MADE = Kernels(_ready_made_attend, _ready_made_norm, _ready_made_feed_forward)


@dataclass(frozen=True)
class Shape:
    """What there is to choose about a GPT."""

    vocab: int
    context: int  # tokens that it can read at most
    d_model: int
    layers: int
    heads: int


@dataclass
class Cache:
    """The keys and values of all tokens read so far, so that they are computed once."""

    keys: Float[Tensor, "layers batch heads room d_head"]
    values: Float[Tensor, "layers batch heads room d_head"]

    def put(
        self,
        layer: int,
        places: Int[Tensor, "batch new"],
        used: int,
        keys: Float[Tensor, "batch heads new d_head"],
        values: Float[Tensor, "batch heads new d_head"],
    ) -> tuple[Tensor, Tensor]:
        """Keep a layer's new keys and values at their places; what is kept of it in the first `used` places."""
        at = places[:, None, :, None].expand_as(keys)
        self.keys[layer].scatter_(-2, at, keys)
        self.values[layer].scatter_(-2, at, values)
        return self.keys[layer, ..., :used, :], self.values[layer, ..., :used, :]


class Norm(nn.Module):
    """The gain and the bias of a layer norm."""

    def __init__(self, d_model: int, kernels: Kernels) -> None:
        super().__init__()
        self.kernels = kernels
        self.gain = nn.Parameter(torch.ones(d_model))
        self.bias = _zeros(d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.kernels.layer_norm(x, self.gain, self.bias)


class Attention(nn.Module):
    """Multi-head attention with biases: of a text to itself, or to another one."""

    def __init__(self, d_model: int, heads: int, kernels: Kernels) -> None:
        super().__init__()
        self.heads, self.kernels = heads, kernels
        self.w_query, self.w_key, self.w_value, self.w_out = (_empty(d_model, d_model) for _ in range(4))
        self.b_query, self.b_key, self.b_value, self.b_out = (_zeros(d_model) for _ in range(4))

    def forward(
        self,
        x: Float[Tensor, "batch time_q d_model"],
        mask: Mask | None = None,
        memory: Float[Tensor, "batch time_k d_model"] | None = None,
        keep: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    ) -> Float[Tensor, "batch time_q d_model"]:
        """`keep` is given the new keys and values, and says which ones are asked: see `Cache`."""
        queries, keys, values = (split_heads(part, self.heads) for part in self._project(x, memory))
        if keep is not None:
            keys, values = keep(keys, values)
        for_all_heads = None if mask is None else mask.unsqueeze(-3)
        mixed = self.kernels.attention(queries, keys, values, for_all_heads)
        return merge_heads(mixed) @ self.w_out + self.b_out

    def _project(self, x: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        matrices = self.w_query, self.w_key, self.w_value
        queries, keys, values = project_qkv(x, *matrices)
        if memory is not None:
            _, keys, values = project_qkv(memory, *matrices)
        return queries + self.b_query, keys + self.b_key, values + self.b_value


class FeedForward(nn.Module):
    """What each token works out for itself, in a space four times as wide."""

    def __init__(self, d_model: int, kernels: Kernels) -> None:
        super().__init__()
        self.kernels = kernels
        self.w_in, self.w_out = _empty(d_model, 4 * d_model), _empty(4 * d_model, d_model)
        self.b_in, self.b_out = _zeros(4 * d_model), _zeros(d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.kernels.feed_forward(x, self.w_in, self.b_in, self.w_out, self.b_out)


class Block(nn.Module):
    """Look around, then think: attention and feed-forward, each added to what was there."""

    def __init__(self, d_model: int, heads: int, kernels: Kernels) -> None:
        super().__init__()
        self.norm_attention, self.attention = Norm(d_model, kernels), Attention(d_model, heads, kernels)
        self.norm_feed_forward, self.feed_forward = Norm(d_model, kernels), FeedForward(d_model, kernels)

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        mask: Mask | None = None,
        keep: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        x = residual(x, lambda y: self.attention(y, mask, keep=keep), self.norm_attention)
        return residual(x, self.feed_forward, self.norm_feed_forward)


class GPT(nn.Module):
    """A decoder that reads tokens and gives the logits of each next one (Radford et al. 2019)."""

    def __init__(self, shape: Shape, kernels: Kernels = YOURS) -> None:
        super().__init__()
        self.shape, self.kernels = shape, kernels
        self.embedding = _empty(shape.vocab, shape.d_model)  # also used to read out: tied
        self.positions = _empty(shape.context, shape.d_model)
        self.blocks = nn.ModuleList(Block(shape.d_model, shape.heads, kernels) for _ in range(shape.layers))
        self.norm = Norm(shape.d_model, kernels)

    @classmethod
    def drawn(cls, shape: Shape, seed: int, kernels: Kernels = YOURS) -> "GPT":
        """A GPT with random numbers in its matrices: the same on every machine.

        A number that enters a sum of n terms has a standard deviation of 1 / sqrt(n), and what is added
        to the stream of vectors starts smaller the more layers there are (Radford et al. 2019, section
        2.3). Wide token vectors are what lets so small a model discover copying.
        """
        model = cls(shape, kernels)
        draw(model, seed, residual_layers=2 * shape.layers)
        return model

    def states(
        self,
        ids: Int[Tensor, "batch time"],
        places: Int[Tensor, "batch time"] | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """What each token has become after the last layer.

        With a `cache`, `ids` are only the new tokens, and `places` where each of them stands.
        """
        mask, used = None, 0
        if cache is None or places is None:
            x = embed(ids, self.embedding) + self.positions[: ids.shape[-1]]
        else:
            x = embed(ids, self.embedding) + functional.embedding(places, self.positions)
            used = int(places.max()) + 1
            mask = torch.arange(used, device=ids.device) <= places.unsqueeze(-1)
        for layer, block in enumerate(self.blocks):
            keep = None
            if cache is not None and places is not None:
                keep = _keeper(cache, layer, places, used)
            x = block(x, mask, keep)
        normed: Tensor = self.norm(x)
        return normed

    def forward(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time vocab"]:
        """The logits of the token that comes after each."""
        return self.read_out(self.states(ids))

    def read_out(self, states: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocab"]:
        """A state is compared with every token's vector."""
        return functional.linear(states, self.embedding)

    def empty_cache(self, batch: int, room: int) -> Cache:
        """A cache with room for so many tokens in each text."""
        shape = self.shape.layers, batch, self.shape.heads, room, self.shape.d_model // self.shape.heads
        like = self.embedding
        return Cache(
            torch.zeros(shape, dtype=like.dtype, device=like.device),
            torch.zeros(shape, dtype=like.dtype, device=like.device),
        )


def _keeper(
    cache: Cache, layer: int, places: Int[Tensor, "batch time"], used: int
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    return lambda keys, values: cache.put(layer, places, used, keys, values)


class RewardModel(nn.Module):
    """A GPT that ends in one number instead of the logits of a token (Stiennon et al. 2020)."""

    def __init__(self, trunk: GPT) -> None:
        super().__init__()
        self.trunk = trunk
        self.weight, self.bias = _zeros(trunk.shape.d_model), nn.Parameter(torch.zeros(()))

    @property
    def kernels(self) -> Kernels:
        return self.trunk.kernels

    def forward(
        self, ids: Int[Tensor, "batch time"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, " batch"]:
        """The reward of each text, read at its last token."""
        return scalar_reward(self.trunk.states(ids), lengths, self.weight, self.bias)

    def everywhere(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
        """The number after each token: what a value model says of the text so far."""
        return self.trunk.states(ids) @ self.weight + self.bias


class DecoderBlock(nn.Module):
    """A block that also asks another text, in between (Vaswani et al. 2017, figure 1)."""

    def __init__(self, d_model: int, heads: int, kernels: Kernels) -> None:
        super().__init__()
        self.norm_attention, self.attention = Norm(d_model, kernels), Attention(d_model, heads, kernels)
        self.norm_cross, self.cross = Norm(d_model, kernels), Attention(d_model, heads, kernels)
        self.norm_feed_forward, self.feed_forward = Norm(d_model, kernels), FeedForward(d_model, kernels)

    def forward(
        self,
        y: Float[Tensor, "batch target d_model"],
        z: Float[Tensor, "batch source d_model"],
        real: Bool[Tensor, "batch 1 source"],
    ) -> Float[Tensor, "batch target d_model"]:
        y = residual(y, self.attention, self.norm_attention)
        y = residual(y, lambda x: self.cross(x, real, memory=z), self.norm_cross)
        return residual(y, self.feed_forward, self.norm_feed_forward)


class EncoderDecoder(nn.Module):
    """The encoder on the left turns x into z, the decoder on the right turns z into y, token by token."""

    def __init__(self, source: Shape, target: Shape, kernels: Kernels = YOURS) -> None:
        super().__init__()
        if source.d_model != target.d_model:
            raise ValueError(
                f"target.d_model must be that of the source ({source.d_model}), got {target.d_model}"
            )
        d_model = source.d_model
        self.source_embedding, self.source_positions = (
            _empty(source.vocab, d_model),
            _empty(source.context, d_model),
        )
        self.target_embedding, self.target_positions = (
            _empty(target.vocab, d_model),
            _empty(target.context, d_model),
        )
        self.encoder = nn.ModuleList(Block(d_model, source.heads, kernels) for _ in range(source.layers))
        self.decoder = nn.ModuleList(
            DecoderBlock(d_model, target.heads, kernels) for _ in range(target.layers)
        )
        self.norm_encoder, self.norm_decoder = Norm(d_model, kernels), Norm(d_model, kernels)

    @classmethod
    def drawn(cls, source: Shape, target: Shape, seed: int, kernels: Kernels = YOURS) -> "EncoderDecoder":
        """With random numbers in its matrices, as `GPT.drawn` has them."""
        model = cls(source, target, kernels)
        draw(model, seed, residual_layers=2 * source.layers + 3 * target.layers)
        return model

    def encode(
        self, source: Int[Tensor, "batch source"], lengths: Int[Tensor, " batch"] | None = None
    ) -> tuple[Float[Tensor, "batch source d_model"], Bool[Tensor, "batch 1 source"]]:
        """z, a vector for each token of the source; and which of them are real."""
        time = source.shape[-1]
        lengths = torch.full((len(source),), time) if lengths is None else lengths
        real = padding_mask(lengths, time).unsqueeze(1)
        x = embed(source, self.source_embedding) + self.source_positions[:time]
        for block in self.encoder:
            x = block(x, real)
        return self.norm_encoder(x), real

    def decode(
        self,
        encoded: tuple[Float[Tensor, "batch source d_model"], Bool[Tensor, "batch 1 source"]],
        target: Int[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target vocab"]:
        """The logits of the token that comes after each one of the target, which asks z."""
        y = embed(target, self.target_embedding) + self.target_positions[: target.shape[-1]]
        for block in self.decoder:
            y = block(y, *encoded)
        return functional.linear(self.norm_decoder(y), self.target_embedding)

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        lengths: Int[Tensor, " batch"],
        target: Int[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target vocab"]:
        return self.decode(self.encode(source, lengths), target)


def _empty(rows: int, columns: int) -> nn.Parameter:
    """A matrix that is still to be filled; on torch's "meta" device it takes no memory at all."""
    return nn.Parameter(torch.empty(rows, columns))


def _zeros(size: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(size))


@torch.no_grad()
def draw(model: nn.Module, seed: int, residual_layers: int) -> None:
    """Fill a model's matrices by chance: see `GPT.drawn`."""
    random = np.random.default_rng(seed)  # the same numbers on every machine
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            continue  # gains are 1 and biases 0
        if "embedding" in name:
            scale = 0.1
        elif "positions" in name:
            scale = 0.02
        else:
            scale = len(parameter) ** -0.5  # so many numbers are added up
        if name.endswith("w_out"):
            scale *= residual_layers**-0.5
        parameter.copy_(torch.from_numpy(scale * random.standard_normal(parameter.shape)))
