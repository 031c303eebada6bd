"""Tokenising 100 MB: ours, from the file to ids on the disk, against the library in memory."""

import json
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from ancestral.data.text import Tokenizer
from ancestral.data.text.corpus import tokenise_documents
from benchmarks.harness import Result, compare

ROOT = Path(__file__).resolve().parents[1]
STORIES = ROOT.parent / "shared" / "data" / "text-es" / "quijote.txt"
BYTES = 100_000_000
LINES = 1_000


def make_text(path: Path, size: int) -> None:
    """Write lines of words of a real book, or of made ones where it is absent, drawn at random."""
    draw = random.Random(0)
    if STORIES.is_file():
        words = STORIES.read_text(encoding="utf-8").split()
    else:
        words = [
            "".join(draw.choices("abcdefgilmnoprstu", k=draw.randint(1, 9))) for _ in range(9999)
        ]
    with path.open("w", encoding="utf-8") as file:
        written = 0
        while written < size:
            at = draw.randrange(len(words) - 60)
            line = " ".join(words[at : at + draw.randint(10, 50)])
            written += file.write(line + "\n")


def ours(path: Path, tokenizer: Tokenizer) -> Callable[[], object]:
    """Find the documents, tokenise them and write the ids to a file that is mapped."""
    return lambda: tokenise_documents(path, tokenizer, documents="lines")


def peer(path: Path, tokenizer: Tokenizer) -> Callable[[], object]:
    """Let the library encode batches of lines, and do nothing with what it returns."""

    def run_() -> int:
        library, total, batch = tokenizer.library, 0, []
        with path.open(encoding="utf-8") as file:
            for line in file:
                batch.append(line.rstrip("\n"))
                if len(batch) == LINES:
                    found = library.encode_batch_fast(batch, add_special_tokens=False)
                    total += sum(len(each.ids) for each in found)
                    batch = []
        if batch:
            found = library.encode_batch_fast(batch, add_special_tokens=False)
            total += sum(len(each.ids) for each in found)
        return total

    return run_


def run() -> Iterator[Result]:
    """Yield the comparison of times, and of our memory at 20 MB and at 100 MB."""
    with tempfile.TemporaryDirectory() as folder:
        texts = {size: Path(folder) / f"{size}.txt" for size in (BYTES // 5, BYTES)}
        for size, path in texts.items():
            make_text(path, size)
        with texts[BYTES // 5].open(encoding="utf-8") as file:
            tokenizer = Tokenizer.train([file.read(5_000_000)], kind="bpe", pieces=4096)
        saved = Path(folder) / "tokenizer.json"
        tokenizer.save(saved)
        yield compare(
            f"tokenising {BYTES // 10**6} MB, pieces of bytes",
            ours=ours(texts[BYTES], tokenizer),
            peer=("the library alone, ids thrown away", peer(texts[BYTES], tokenizer)),
            bar=1 / 1.2,
            rounds=3,
            note="ours also finds the documents and writes the ids",
        )
        small, large = (_peak(path, saved) for path in texts.values())
        yield Result(
            name="peak memory of tokenising, five times the text",
            peer="a fifth of the text",
            ours_seconds=float("nan"),
            peer_seconds=float("nan"),
            ratio=small / large,
            rounds=[],
            bar=0.8,
            note=f"{small / 1e6:.0f} MB, then {large / 1e6:.0f} MB",
        )


def _peak(path: Path, tokenizer: Path) -> int:
    """Return the peak resident bytes of a fresh process, without what is mapped from files."""
    command = [sys.executable, "-m", "benchmarks.tokenising", str(path), str(tokenizer)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(found.stdout.splitlines()[-1])


def _measure(path: Path, tokenizer: Path) -> int:
    done, seen = threading.Event(), [_anonymous()]

    def watch() -> None:
        while not done.wait(0.02):
            seen.append(_anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    tokenise_documents(path, Tokenizer.load(tokenizer), documents="lines")
    done.set()
    watcher.join()
    return max(seen)


def _anonymous() -> int:
    """Return the resident bytes that no file backs: pages of a mapped file are the system's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    print(_measure(Path(sys.argv[1]), Path(sys.argv[2])))
