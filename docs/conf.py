"""One configuration for both languages; ``scripts/build_docs.py`` sets the language."""

import importlib.metadata
import re

project = "ancestral"
author = "the ancestral authors"
copyright = "2026, the ancestral authors"
release = importlib.metadata.version("ancestral")
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
myst_enable_extensions = ["amsmath", "dollarmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_title = f"ancestral {release}"
html_show_sphinx = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
exclude_patterns = ["_build"]
suppress_warnings = ["myst.xref_missing"]

# Literals, roles, doctest lines, emphasis.
_AS_IT_IS = re.compile(
    r"``.+?``|`[^`]+`|^ *(?:>>>|\.\.\.) [^\n]*$|\*[A-Za-z][\w -]*\*", re.DOTALL | re.MULTILINE
)


def escape(app, what, name, obj, options, lines):  # noqa: ARG001 - Sphinx's signature
    """Let docstrings write shapes such as [*B, D] and norms such as |x| as plain text."""
    text, found, end = "\n".join(lines), [], 0
    for match in [*_AS_IT_IS.finditer(text), None]:
        plain = text[end : match.start() if match else None]
        found += [re.sub(r"(?<!\\)([*|])", r"\\\1", plain), match.group() if match else ""]
        end = match.end() if match else end
    lines[:] = "".join(found).split("\n")


def skip(app, what, name, obj, leave_out, options):  # noqa: ARG001 - Sphinx's signature
    """Leave out the methods that scikit-learn writes into every estimator."""
    return leave_out or (getattr(obj, "__module__", None) or "").startswith("sklearn.")


def setup(app):
    app.connect("autodoc-skip-member", skip)
    # Before napoleon, which comes at 500.
    app.connect("autodoc-process-docstring", escape, priority=400)
