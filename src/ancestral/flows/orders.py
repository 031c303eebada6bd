"""The orders in which the transforms of a flow reach its features."""


def autoregressive_orders(features: int, transforms: int) -> list[list[int]]:
    """Return the group of each feature for each transform: one by one, forth and back in turn.

    Example:
        >>> autoregressive_orders(3, 2)
        [[0, 1, 2], [2, 1, 0]]
    """
    forth = list(range(features))
    return [forth if number % 2 == 0 else forth[::-1] for number in range(transforms)]


def coupling_orders(features: int, transforms: int) -> list[list[int]]:
    """Return the group of each feature for each transform: one half by the other, in turn.

    The halves are the even and the odd features and, every other time, the first and the second
    half, so that after four transforms all have met all.

    Example:
        >>> coupling_orders(4, 4)
        [[0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 1, 1], [1, 1, 0, 0]]
    """
    if features == 1:
        return [[0]] * transforms
    every = range(features)
    halves = [[i % 2 for i in every], [int(2 * i >= features) for i in every]]
    return [
        [group if number % 2 == 0 else 1 - group for group in halves[number // 2 % 2]]
        for number in range(transforms)
    ]
