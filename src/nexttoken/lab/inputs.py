"""Random arguments for the graded cells: the same on every machine, new with every seed."""

import numpy as np
import torch
from torch import Tensor


class Inputs:
    """Draws tensors, one after the other, from a seeded generator.

    NumPy's PCG64 gives the same numbers on every platform, which torch's generators do not
    promise.

    >>> Inputs(1).ids(5, below=3)
    tensor([1, 1, 2, 2, 0])
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def ids(self, *shape: int, below: int) -> Tensor:
        """Integers from 0 up to, not including, `below`."""
        return torch.from_numpy(self._random.integers(below, size=shape))

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        """Normally distributed float64 numbers with mean 0 and standard deviation `scale`."""
        return torch.from_numpy(scale * self._random.standard_normal(shape))

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Evenly distributed float64 numbers between `low` and `high`."""
        return torch.from_numpy(self._random.uniform(low, high, shape))
