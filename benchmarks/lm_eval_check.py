"""``python -m benchmarks.lm_eval_check RUN TEXT --lm-eval PYTHON``: the same bits from outside.

The run is served, and lm-evaluation-harness, in an environment of its own, measures the bits per
byte of TEXT's documents by asking the server (``local-completions``, ``loglikelihood_rolling``).
They must equal ours within 1e-6. The harness has no word for the end of a document and cuts long
ones otherwise than we do: ends are left out on both sides, and so are documents that do not fit
into the window. To make its environment::

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
from pathlib import Path

from ancestral.data.text import tokenise_documents
from ancestral.evaluation.text import token_log_probs
from ancestral.recipes import Run
from ancestral.recipes.generating import Writer

BAR, MOST = 1e-6, 200
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


def ours(run: Run, text: Path) -> tuple[list[str], float]:
    """Return documents that fit into the window, and their bits per byte without their ends."""
    writer = Writer.open(run)
    documents = tokenise_documents(
        text, writer.tokenizer, documents=run.record.data.loading.text.documents
    )
    texts, nats, size = [], 0.0, 0
    for index in range(len(documents)):
        ids = documents.ids(index)
        found = writer.tokenizer.decode(ids.tolist())
        # Two places less than the window: so many does the harness leave free.
        fits = writer.model.window is None or len(ids) - 2 <= writer.model.window - 2
        if fits and writer.tokenizer.encode(found) == ids[1:-1].tolist() and len(texts) < MOST:
            texts.append(found)
            nats -= float(token_log_probs(writer.model, ids[:-1]).sum())
            size += len(found.encode())
    if not texts:
        raise SystemExit(f"no document of {text} fits into the window of {run.folder}")
    return texts, nats / math.log(2) / size


def theirs(run: Run, texts: list[str], python: str, folder: Path) -> float:
    """Serve the run and let the harness ask it; return its bits per byte."""
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (folder / "texts.jsonl").write_text(lines, encoding="utf-8")
    (folder / "task.yaml").write_text(_TASK.format(texts=folder / "texts.jsonl"))
    command = [*_COMMAND, "serve", str(run.folder), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            told = json.loads(server.stdout.readline())
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
    return json.loads(answer.read_text())["results"]["ancestral_texts"]["bits_per_byte,none"]


def main() -> int:
    """Measure twice and compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lm_eval_check")
    parser.add_argument("run", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--lm-eval", required=True, help="the interpreter of its environment")
    given = parser.parse_args()
    run = Run.open(given.run)
    texts, mine = ours(run, given.text)
    with tempfile.TemporaryDirectory() as folder:
        other = theirs(run, texts, given.lm_eval, Path(folder))
    answer = {"documents": len(texts), "ours": mine, "lm_eval": other, "off": abs(mine - other)}
    print(json.dumps(answer))
    return 0 if answer["off"] <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
