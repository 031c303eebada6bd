"""``python -m benchmarks.load [RUN] [--seconds 60] [--clients 64]``: many clients on one server.

A server is started on RUN, or on a small GPT that is made on the spot. One client asks for every
text of a catalogue, alone; then all clients ask for them at once, streaming, until the time is
over. Told are errors, texts that are not the same as alone, the memory of the server before and
after, and the tokens a second against those of the one client. One JSON line on standard output;
exit status 1 if anything failed, differed, or the ratio is below 3.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import torch

TEXTS, BAR = 24, 3.0
_COMMAND = [sys.executable, "-c", "from ancestral.cli.main import main; main()"]


@dataclass(slots=True)
class Tally:
    """What the clients have seen.

    Args:
        texts: By the place of their request in the catalogue: all that came.
        statuses: How often each status came, other than 200.
        whole: Streams that ended by ``[DONE]``.
        broken: Those that did not.
        tokens: Of whole streams.
    """

    texts: dict[int, set[str]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    whole: int = 0
    broken: int = 0
    tokens: int = 0


def catalogue() -> list[dict[str, object]]:
    """Return the requests: prompts, settings and seeds that differ."""
    prompts = ["Verso", "sol y luna", "", "mar del norte, monte y nube"]
    return [
        {
            "prompt": prompts[place % len(prompts)],
            "seed": place,
            "max_tokens": 32 + 16 * (place % 4),
            "temperature": (1.0, 0.7, 0)[place % 3],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        for place in range(TEXTS)
    ]


def make_run(folder: Path) -> Path:
    """Fit a small GPT for a few steps; return its run."""
    generator = torch.Generator().manual_seed(0)
    words = ["sol", "luna", "mar", "río", "monte", "nube", "flor", "canta", "calla", "norte"]
    lines = []
    for number in range(400):
        picks = torch.randint(len(words), (40,), generator=generator).tolist()
        lines.append(f"Verso {number}: " + " ".join(words[pick] for pick in picks) + ".")
    (folder / "verses.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = ["width=128", "layers=3", "heads=4", "window=256", "pieces=512", "batch_size=4"]
    command = [
        *_COMMAND,
        "fit",
        "gpt",
        str(folder / "verses.txt"),
        "--steps",
        "10",
        "--threads",
        "1",
    ]
    for setting in settings:
        command += ["--set", setting]
    subprocess.run([*command, "--out", str(folder / "run")], check=True, stdout=sys.stderr)
    return folder / "run"


async def ask(address: tuple[str, int], place: int, request: dict[str, object], to: Tally) -> None:
    """Ask for one text over a connection of its own, and take it down."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        body = json.dumps(request).encode()
        writer.write(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        status = int((await reader.readline()).split()[1])
        content = await reader.read()
    finally:
        writer.close()
    if status != 200:
        to.statuses[status] += 1
        return
    # The events stand between the lines that tell the sizes of HTTP's chunks.
    events = [line[6:] for line in content.split(b"\n") if line.startswith(b"data: ")]
    if not events or events[-1].strip() != b"[DONE]":
        to.broken += 1
        return
    chunks = [json.loads(event) for event in events[:-1]]
    text = "".join(choice["text"] for chunk in chunks for choice in chunk["choices"])
    to.texts.setdefault(place, set()).add(text)
    to.whole += 1
    to.tokens += chunks[-1]["usage"]["completion_tokens"]


async def one_client(address: tuple[str, int], to: Tally, *, texts: int = TEXTS) -> float:
    """Ask for the texts of the catalogue, one after the other; return the seconds."""
    began = time.perf_counter()
    for place, request in enumerate(catalogue()[:texts]):
        await ask(address, place, request, to)
    return time.perf_counter() - began


async def many_clients(
    address: tuple[str, int], to: Tally, *, clients: int, seconds: float
) -> float:
    """Let clients ask, each text after text, until the time is over; return the seconds."""
    requests, began = catalogue(), time.perf_counter()

    async def client(number: int) -> None:
        place = number
        while time.perf_counter() - began < seconds:
            busy = to.statuses[429]
            await ask(address, place % TEXTS, requests[place % TEXTS], to)
            place += 1
            if to.statuses[429] > busy:
                await asyncio.sleep(1)  # As Retry-After says.

    await asyncio.gather(*(client(number) for number in range(clients)))
    return time.perf_counter() - began


def memory(process: int) -> float:
    """Return the resident memory of a process in MiB; of Linux only."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def measure(run: Path, given: argparse.Namespace) -> dict[str, object]:
    """Start the server, ask, end it, and return what was seen."""
    command = [*_COMMAND, "serve", str(run), "--port", "0", "--json"]
    command += ["--threads", str(given.threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = urlsplit(json.loads(server.stdout.readline())["url"])
            address = (str(url.hostname), int(url.port or 0))
            alone, together = Tally(), Tally()
            asyncio.run(one_client(address, Tally(), texts=2))  # To warm up.
            seconds_alone = asyncio.run(one_client(address, alone))
            before = memory(server.pid)
            seconds_together = asyncio.run(
                many_clients(address, together, clients=given.clients, seconds=given.seconds)
            )
            after = memory(server.pid)
            server.send_signal(signal.SIGTERM)
            status = server.wait(60)
        finally:
            server.kill()
    differing = [place for place, found in together.texts.items() if found != alone.texts[place]]
    errors = {code: n for code, n in together.statuses.items() if code != 429}
    single = alone.tokens / seconds_alone
    many = together.tokens / seconds_together
    return {
        "clients": given.clients,
        "threads": given.threads,
        "seconds": round(seconds_together, 1),
        "streams": together.whole,
        "tokens": together.tokens,
        "busy": together.statuses[429],
        "errors": sum(errors.values()) + together.broken,
        "differing": len(differing),
        "memory_before_mib": round(before, 1),
        "memory_after_mib": round(after, 1),
        "tokens_per_second_alone": round(single, 1),
        "tokens_per_second": round(many, 1),
        "ratio": round(many / single, 2),
        "exit_status": status,
    }


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load")
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = given.run or make_run(Path(folder))
        found = measure(run, given)
    print(json.dumps({**found, "torch": torch.__version__}))
    sound = not (found["errors"] or found["differing"] or found["exit_status"])
    return 0 if sound and float(str(found["ratio"])) >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
