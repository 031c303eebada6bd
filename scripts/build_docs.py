"""Build the site, one tree a language, in docs/_build; warnings are errors.

Every page is read anew: a page taken from the last build would keep its warnings to itself.

MathJax is copied into the pages, so that they work offline: it comes from the npm registry when
the site is built. Without npm the pages load it from the network, and this script says so.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
MATHJAX = "mathjax@3.2.2"
INDEX = """<!doctype html><html lang="en"><meta charset="utf-8"><title>ancestral</title>
<script>location.replace((navigator.language || "en").startsWith("es") ? "es/" : "en/")</script>
<p><a href="en/index.html">English</a> · <a href="es/index.html">Español</a></p></html>
"""


def fetch_mathjax(folder: Path) -> bool:
    """Unpack MathJax's ``es5`` folder into ``folder``; return whether it is there."""
    if folder.exists():
        return True
    npm = shutil.which("npm")
    if npm is None:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        command = [npm, "pack", "--silent", MATHJAX]
        if subprocess.run(command, cwd=scratch, check=False, capture_output=True).returncode:
            return False
        with tarfile.open(next(Path(scratch).glob("*.tgz"))) as archive:
            # The filter came with Python 3.11.4; MathJax's own archive needs none.
            safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            archive.extractall(scratch, **safely)
        shutil.copytree(Path(scratch) / "package" / "es5", folder)
    return True


def main() -> int:
    """Build both languages; return 1 at the first warning."""
    vendored = fetch_mathjax(DOCS / "_build" / "mathjax")
    if not vendored:
        print("MathJax could not be fetched: formulas will need the network", file=sys.stderr)
    folders = {language: DOCS / "_build" / "html" / language for language in ("en", "es")}
    options = ["-D", "mathjax_path=mathjax/tex-mml-chtml.js"] if vendored else []
    building = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "sphinx", "-W", "-q", "-E", "-b", "html"),
                *("-c", str(DOCS), "-D", f"language={language}", *options),
                *(str(DOCS / language), str(out)),
            ]
        )
        for language, out in folders.items()
    ]
    if any([each.wait() for each in building]):  # All of them, so that none is left alone.
        return 1
    if vendored:
        for out in folders.values():
            shutil.copytree(
                DOCS / "_build" / "mathjax", out / "_static" / "mathjax", dirs_exist_ok=True
            )
    (DOCS / "_build" / "html" / "index.html").write_text(INDEX)
    print(os.path.relpath(DOCS / "_build" / "html" / "index.html"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
