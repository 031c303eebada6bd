"""One configuration for both languages; ``scripts/build_docs.py`` sets the language."""

import importlib.metadata

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
html_title = f"ancestral {release}"
html_show_sphinx = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
exclude_patterns = ["_build"]
suppress_warnings = ["myst.xref_missing"]
