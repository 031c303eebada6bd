import torch

from ancestral.evaluation.measures.difference import differences


def test_bytes_do_not_wrap_around() -> None:
    x, y = torch.tensor([[0, 51], [255, 0]], dtype=torch.uint8)[:, None, None]
    found = differences(torch.stack((x, y)), torch.stack((y, x)), 256)
    torch.testing.assert_close(found, torch.tensor([0.6, 0.6]).double())
