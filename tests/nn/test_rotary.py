import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ancestral.nn.rotary import rotary_tables, rotate


@given(st.integers(0, 90), st.integers(0, 90), st.integers(0, 100))
def test_products_depend_on_the_distance_alone(i: int, j: int, shift: int) -> None:
    cosine, sine = (table.double() for table in rotary_tables(200, 16))
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 16, generator=generator, dtype=torch.float64)

    def met(a: int, b: int) -> torch.Tensor:
        turned = [rotate(x[None], cosine[p], sine[p])[0] for x, p in ((q, a), (k, b))]
        return turned[0] @ turned[1]

    # The tables are float32: angles of up to 200 are right to 1e-5 or so of a turn's sine.
    torch.testing.assert_close(met(i, j), met(i + shift, j + shift), atol=1e-4, rtol=0)


def test_place_zero_turns_nothing_and_lengths_stay() -> None:
    cosine, sine = rotary_tables(50, 8)
    x = torch.randn(2, 3, 50, 8)
    turned = rotate(x, cosine, sine)
    torch.testing.assert_close(turned[:, :, 0], x[:, :, 0])
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(ValueError, match="even width of a head, got 5"):
        rotary_tables(4, 5)
