"""Sphinx configuration. It is read in the folder that website/assemble.py writes, not here."""

from website import (
    book_data,
    fields,
    head,
    hidden,
    judge,
    names,
    search,
    signatures,
    source_links,
    used_in,
)

project = "Knowledge Distillation, Executed"
language = "en"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "website.formulas",
    *(["sphinx.ext.linkcode"] if source_links.public_copy() else []),
]
linkcode_resolve = source_links.resolve
highlight_language = "none"  # a docstring's block is a table as often as it is code
default_role = "py:obj"  # a name in single backquotes is a link where it is known
exclude_patterns = ["_extra"]
smartquotes_action = "D"  # dashes alone: D' is no D with a quotation mark

# The notebooks hold their outputs; nothing is run here.
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}
# The only outputs behind a button are those that answer a prediction; see predictions.py. The button
# of a cell whose code is folded says something else; see website/hidden.py.
nb_code_prompt_show = "Predict first; then open what it shows"
nb_code_prompt_hide = "Hide what it shows"
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]

autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]  # a list, like that of Args
napoleon_use_param = False  # "log_p, log_q: ..." stays one entry
napoleon_use_rtype = False  # "Returns: the loss: a sum" has no type before its colon
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

html_math_renderer = "tex"  # drawn once the pages stand; see website/formulas.py
html_theme = "sphinx_book_theme"
html_title = project
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_extra_path = ["_extra"]
html_css_files = [
    f"{name}.css"
    for name in (
        "book",
        "order",
        "package",
        "explorables/explorables",
        "explorables/instruments",
        "predict",
        "icons",
        "formulas",
    )
]
html_js_files = [
    (name, {"defer": "defer"})
    for name in (
        "page.js",
        *("predict_judge.js", "predict_fields.js", "predict.js"),  # each uses those before it
        *book_data.SCRIPTS,
    )
]
html_copy_source = False
html_use_index = False
html_domain_indices = False
html_show_sphinx = False
html_show_copyright = False
html_permalinks_icon = "#"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
    "logo": {"text": project},
    "show_navbar_depth": 1,
    "show_toc_level": 1,
    "use_download_button": False,
    "use_source_button": False,
    "use_repository_button": False,
    "use_issues_button": False,
    "back_to_top_button": False,
    "footer_content_items": ["extra-footer.html"],
    "extra_footer": f"By the authors of <cite>{project}</cite>, under the MIT licence.",
}


def setup(app):
    app.connect("autodoc-skip-member", signatures.skip_strangers)
    app.connect("autodoc-process-signature", signatures.shorten_signature)
    app.connect("autodoc-process-docstring", fields.add_fields)
    app.connect("autodoc-process-docstring", used_in.add_chapters)
    app.connect("doctree-resolved", signatures.shorten_types)
    app.connect("html-page-context", hidden.named_by_its_words)
    app.connect("html-page-context", head.describe)
    app.connect("html-page-context", judge.add_scripts)
    app.connect("html-page-context", search.collect)
    app.connect("build-finished", search.write)
    app.connect("missing-reference", names.link)
