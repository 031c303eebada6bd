"""Samplers of diffusion: what they cost beside the network, and beside diffusers' schedulers."""

from collections import deque
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ancestral.diffusion import Denoiser, evaluations, karras_levels, walk
from ancestral.nn import TimedUNet
from benchmarks.harness import Result, compare

_SHAPE, _STEPS = (1, 3, 32, 32), 20
_SCHEDULERS = {
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
    "ancestral": ("DDPMScheduler", {"clip_sample": False}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpmpp-2m": ("DPMSolverMultistepScheduler", {}),
}
"""The schedulers of the same names, nothing clamped."""


@torch.no_grad()
def _ours(denoiser: Denoiser, sampler: str) -> Callable[[], Tensor]:
    levels = karras_levels(_STEPS, lowest=0.002, highest=80.0)
    like = torch.zeros(())

    def draw() -> Tensor:
        with torch.no_grad():
            return deque(walk(sampler, denoiser, levels, _SHAPE, like=like), maxlen=1)[0]

    return draw


class _Nothing(nn.Module):
    """A network that costs nothing: what is left of a draw is the sampler and the denoiser."""

    def __init__(self) -> None:
        super().__init__()
        self.none = nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        del time, label
        return z


def _bare(network: nn.Module, sampler: str) -> Callable[[], Tensor]:
    """Return what evaluates the network alone as often as the sampler does."""
    z, time = torch.randn(_SHAPE), torch.full((1,), 0.5)

    def run() -> Tensor:
        with torch.no_grad():
            outs = [network(z, time) for _ in range(evaluations(sampler, _STEPS))]
        return outs[-1]

    return run


def _theirs(network: nn.Module, sampler: str) -> Callable[[], Tensor]:
    import diffusers  # pyright: ignore[reportMissingImports]

    name, settings = _SCHEDULERS[sampler]
    scheduler = getattr(diffusers, name)(prediction_type="v_prediction", **settings)

    def draw() -> Tensor:
        with torch.no_grad():
            scheduler.set_timesteps(_STEPS)
            z = torch.randn(_SHAPE) * scheduler.init_noise_sigma
            for t in scheduler.timesteps:
                out = network(scheduler.scale_model_input(z, t), t[None] / 1000)
                z = scheduler.step(out, t, z).prev_sample
        return z

    return draw


def run() -> Iterator[Result]:
    """Yield the comparisons; those with diffusers only where it is installed."""
    torch.manual_seed(0)
    network = TimedUNet(3, widths=(32, 64, 128), blocks=2).eval()
    for sampler in _SCHEDULERS:
        count = evaluations(sampler, _STEPS)
        yield compare(
            f"what {sampler} adds to its network in {_STEPS} steps, batch 1",
            ours=_ours(Denoiser(_Nothing()), sampler),
            peer=(f"the network, {count} times", _bare(network, sampler)),
            bar=0.9,
            note="by a network that does nothing: 1% at most",
        )
    try:
        import diffusers  # pyright: ignore[reportMissingImports]
    except ImportError:
        return
    for sampler, (name, _) in _SCHEDULERS.items():
        yield compare(
            f"{sampler}, {_STEPS} steps, batch 1, of a network that does nothing",
            ours=_ours(Denoiser(_Nothing()), sampler),
            peer=(f"diffusers {diffusers.__version__} {name}", _theirs(_Nothing(), sampler)),
            bar=0.9,
            calls=10,
        )
