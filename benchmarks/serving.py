"""Many jobs side by side in the engine, against the same jobs one after another."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ancestral.autoregressive import GPT, GPTShape
from ancestral.autoregressive.decoding import Decoding, generate, row_generators
from ancestral.serving.jobs import Event, Finished, Job
from ancestral.serving.scheduler import Scheduler
from benchmarks.harness import Result, compare

PROMPT, TOKENS = 16, 24
VOCABULARIES = {4_096: (1, 4, 16, 64), 60_198: (1, 16)}
"""Numbers of jobs for the book's GPT with so many tokens; its own has 60,198."""
BARS = {1: 0.4, 4: 1.0, 16: 3.0, 64: 3.0}
"""Rows are computed in groups of 16, in use or not, so a job that is alone pays for its peers."""


def run() -> Iterator[Result]:
    """Yield a comparison for each vocabulary and number of jobs."""
    for vocabulary, counts in VOCABULARIES.items():
        model = GPT(vocabulary, shape=GPTShape()).eval()
        special = model.special
        decoding = Decoding(forbidden=(special.eos, special.pad))
        prompts = torch.randint(special.bos, (max(BARS), PROMPT)).tolist()
        jobs = [
            Job(prompt=prompt, decoding=decoding, max_tokens=TOKENS, seed=seed)
            for seed, prompt in enumerate(prompts)
        ]
        _check(model, jobs[:5])
        for count in counts:
            result = compare(
                f"{count} jobs of {TOKENS} tokens, GPT, V = {vocabulary:,}",
                ours=lambda model=model, asked=jobs[:count]: serve(model, asked),
                peer=(
                    "one after another",
                    lambda model=model, asked=jobs[:count]: one_by_one(model, asked),
                ),
                bar=BARS[count],
                rounds=3,
            )
            each = 1e3 * result.ours_seconds / (count * TOKENS)
            yield replace(result, note=f"{each:.2f} ms a token, {1e3 / each:.0f} tokens a second")


def serve(model: GPT, jobs: list[Job]) -> list[list[Event]]:
    """Return what each of the jobs hears."""
    scheduler = Scheduler(model, queue=len(jobs))
    heard: list[list[Event]] = [[] for _ in jobs]
    for job, events in zip(jobs, heard, strict=True):
        scheduler.submit(job, events.append)
    while scheduler.step():
        pass
    return heard


def one_by_one(model: GPT, jobs: list[Job]) -> int:
    """Return the number of tokens."""
    return sum(
        len(step)
        for job in jobs
        for step in generate(
            model,
            [job.prompt],
            job.decoding,
            max_tokens=job.max_tokens,
            generators=row_generators(job.seed, 1),
        )
    )


def _check(model: GPT, jobs: list[Job]) -> None:
    together = serve(model, jobs)
    if together != [events for job in jobs for events in serve(model, [job])]:
        raise AssertionError("a stream depends on its neighbours")
    if any(len(events) != TOKENS + 1 or events[-1] != Finished() for events in together):
        raise AssertionError("a stream is not whole")
