"""``python -m benchmarks.lm_eval_check RUN --lm-eval PYTHON``: the same bits from outside.

The run is served, and lm-evaluation-harness, in an environment of its own, measures the bits per
byte of the run's held-out documents by asking the server (``local-completions``,
``loglikelihood_rolling``). They must equal those of ``ancestral evaluate`` within 1e-6. The harness
has no word for the end of a document: how surprising the ends are is asked of the server apart. It
cuts long documents otherwise than we do, so all must fit into the window. To make its environment::

    python3.11 -m venv lm-eval
    lm-eval/bin/pip install torch==2.13.0
    lm-eval/bin/pip install 'lm-eval[api]==0.4.13'
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from ancestral.evaluation import Setting, evaluate
from ancestral.evaluation.text.evaluate import SCORED
from ancestral.recipes import Run

BAR = 1e-6
_COMMAND = [sys.executable, "-c", "from ancestral.cli.main import main; main()"]
_TASK = """task: ancestral_texts
dataset_path: json
dataset_kwargs:
  data_files:
    test: {texts}
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{{{text}}}}"
metric_list:
  - metric: bits_per_byte
metadata:
  version: 1.0
"""


@dataclass(frozen=True, slots=True)
class Held:
    """The held-out documents of a run.

    Args:
        texts: As they stand in the file.
        ids: Of each, from BOS to EOS.
        bits_per_byte: As ``ancestral evaluate`` tells it.
    """

    texts: list[str]
    ids: list[list[int]]
    bits_per_byte: float

    @classmethod
    def of(cls, run: Run) -> "Held":
        """Measure them as ``ancestral evaluate`` does."""
        data = run.data()
        if data.corpus is None or data.corpus.test.sizes.sum() >= SCORED:
            raise SystemExit(f"{run.folder} must be on text, with few held-out tokens")
        test, window = data.corpus.test, run.record.data.loading.text.window
        # The harness leaves two places of the window free.
        if int(test.sizes.max()) > window:
            raise SystemExit(f"a document of {run.folder} is longer than its window, {window}")
        figure = evaluate(run.model(), data, setting=Setting(samples=20)).figures
        found = figure["bits_per_byte"]
        assert found is not None
        return cls(list(test), [test.ids(i).tolist() for i in range(len(test))], found.value)

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(len(text.encode()) for text in self.texts)


def ends(held: Held, url: str) -> float:
    """Ask the server how surprising the ends of the documents are, in bits."""
    nats = 0.0
    for ids in held.ids:
        asked = {"prompt": ids, "echo": True, "logprobs": 0, "max_tokens": 0}
        request = Request(
            f"{url}/v1/completions",
            json.dumps(asked).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(request) as answer:
            nats -= json.load(answer)["choices"][0]["logprobs"]["token_logprobs"][-1]
    return nats / math.log(2)


def theirs(run: Run, held: Held, python: str, folder: Path) -> float:
    """Serve the run and let the harness ask it; return the bits per byte, ends included."""
    lines = "".join(json.dumps({"text": text}) + "\n" for text in held.texts)
    (folder / "texts.jsonl").write_text(lines, encoding="utf-8")
    (folder / "task.yaml").write_text(_TASK.format(texts=folder / "texts.jsonl"))
    command = [*_COMMAND, "serve", str(run.folder), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            told = json.loads(server.stdout.readline())
            last = ends(held, told["url"])
            window = run.record.data.loading.text.window
            arguments = (
                f"model={told['model']},base_url={told['url']}/v1/completions,"
                f"tokenizer_backend=remote,max_length={window}"
            )
            words = ["--model", "local-completions", "--model_args", arguments]
            words += ["--tasks", "ancestral_texts", "--include_path", str(folder)]
            words += ["--output_path", str(folder / "found")]
            offline = {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder)}
            environment = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
            subprocess.run(
                [python, "-m", "lm_eval", *words],
                check=True,
                stdout=sys.stderr,
                env={**environment, **offline},
                cwd=folder,
            )
            server.send_signal(signal.SIGTERM)
            server.wait(60)
        finally:
            server.kill()
    (answer,) = (folder / "found").rglob("results_*.json")
    found = json.loads(answer.read_text())["results"]["ancestral_texts"]["bits_per_byte,none"]
    return found + last / held.size


def main() -> int:
    """Measure twice and compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lm_eval_check")
    parser.add_argument("run", type=Path)
    parser.add_argument("--lm-eval", required=True, help="the interpreter of its environment")
    given = parser.parse_args()
    run = Run.open(given.run)
    held = Held.of(run)
    with tempfile.TemporaryDirectory() as folder:
        other = theirs(run, held, given.lm_eval, Path(folder))
    mine = held.bits_per_byte
    answer = {"documents": len(held.texts), "ours": mine, "lm_eval": other}
    print(json.dumps({**answer, "off": abs(mine - other)}))
    return 0 if abs(mine - other) <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
