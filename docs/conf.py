"""Sphinx settings: `sphinx-build -W docs docs/_build` builds the pages without a network."""

from ecotone import __version__

project = "ecotone"
author = "the ecotone authors"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "evidence", "decisions"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
# links to source files are for readers of the repository
suppress_warnings = ["myst.xref_missing"]
numpydoc_show_class_members = False
autosummary_generate = False  # numpydoc brings autosummary along
autodoc_typehints = "none"
html_theme = "alabaster"
html_theme_options = {"description": "which data, in what proportions, and did it help"}
