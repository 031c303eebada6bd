"""Huffman's code: what an entropy in bits means in symbols sent."""

import heapq

import torch
from torch import Tensor

from ancestral.information.tables import check_simplex


def huffman_lengths(p: Tensor) -> Tensor:
    """Return the length in bits of each symbol's word in the best prefix code for ``p``.

    The mean length lies in [H, H + 1) bits, H the entropy. Symbols of probability 0 get a word too.

    Source: Huffman 1952, A method for the construction of minimum-redundancy codes.

    Raises:
        ValueError: If p is not [N] on the simplex.

    Example:
        >>> huffman_lengths(torch.tensor([0.5, 0.25, 0.125, 0.125])).tolist()
        [1, 2, 3, 3]
    """
    if p.ndim != 1:
        raise ValueError(f"p must be [N], got shape {list(p.shape)}")
    weights = check_simplex(p).tolist()
    lengths = [0] * len(weights)
    # The number breaks ties, so that symbols are never compared.
    heap = [(weight, number, [number]) for number, weight in enumerate(weights)]
    heapq.heapify(heap)
    number = len(weights)
    while len(heap) > 1:
        first, second = heapq.heappop(heap), heapq.heappop(heap)
        symbols = first[2] + second[2]
        for symbol in symbols:
            lengths[symbol] += 1
        heapq.heappush(heap, (first[0] + second[0], number, symbols))
        number += 1
    return torch.tensor(lengths)


def huffman_code(p: Tensor) -> list[str]:
    """Return the words themselves, as strings of 0 and 1; none begins with another.

    Words of one length count up, in the order of the symbols (the canonical code).

    Example:
        >>> huffman_code(torch.tensor([0.5, 0.25, 0.125, 0.125]))
        ['0', '10', '110', '111']
    """
    lengths = huffman_lengths(p).tolist()
    words = [""] * len(lengths)
    value, previous = 0, 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths)):
        value <<= length - previous
        words[symbol] = format(value, f"0{length}b") if length else ""
        value, previous = value + 1, length
    return words
