"""``python -m benchmarks [NAME ...]``: run all comparisons, or those named; exit 1 on a miss."""

import importlib
import sys
from pathlib import Path

import torch

from ancestral.training.process import tune_process
from benchmarks.harness import report

COMPARISONS = (
    "vae_step",
    "image_vae_step",
    "flow_matching",
    "diffusion",
    "generic_elbo",
    "kde",
    "gmm",
    "bif",
    "sampling_network",
    "inference",
    "counting",
    "hmm",
    "gpt_step",
    "generation",
    "tokenising",
    "packing",
    "serving",
    "decoding_rules",
    "tables",
    "imputation",
    "flows",
    "unet",
    "segmentation",
    "autoencoder_epoch",
    "anomalies",
    "ring",
    "gan_step",
    "cgan_step",
)


def main(names: list[str]) -> int:
    """Run each comparison's ``run``, which yields results."""
    unknown = sorted(set(names) - set(COMPARISONS))
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are {', '.join(COMPARISONS)}", file=sys.stderr)
        return 2
    torch.set_num_threads(min(2, torch.get_num_threads()))
    tune_process()  # As the command line does; the peers gain as well.
    results = []
    for name in names or COMPARISONS:
        results += [
            report(result) for result in importlib.import_module(f"benchmarks.{name}").run()
        ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    sys.exit(main(sys.argv[1:]))
