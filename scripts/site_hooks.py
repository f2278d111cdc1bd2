# SPDX-License-Identifier: Apache-2.0
"""Hooks of mkdocs.yml: pages and plots that lie outside of docs/, and formulas as MathML.

The pages keep the links and formulas that repository hosts show. Here the links to pages outside of docs/ are led to their copies on
the site, and formulas become MathML, which browsers draw without a script.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent

OUTSIDE = {
    "benchmarks/README.md": "benchmarks.md",
    **{f"benchmarks/results/{path.name}": path.name for path in sorted((ROOT / "benchmarks/results").glob("*.png"))},
    "CONTRIBUTING.md": "contributing.md",
    **{f"models/{path.name}": f"models/{path.name}" for path in sorted((ROOT / "models").glob("*.md"))},
}
"""Path in the repository -> path on the site."""

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
BLOCK = re.compile(r"^```math\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"\$`(.+?)`\$")


def drawn(latex: str, display: Literal["inline", "block"]) -> str:
    """MathML of a formula. Means get a border for their line, because few fonts have one that grows with the term."""
    formula = convert_to_element(latex, display=display)
    for over in formula.iter("mover"):
        if over[1].text in ("&#x02015;", "\u2015"):
            over.tag, over.attrib["class"] = "mrow", "mean"
            over.remove(over[1])
    return ElementTree.tostring(formula, encoding="unicode").replace("&amp;#", "&#")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and plots outside of docs/."""
    from mkdocs.structure.files import File

    for source, target in OUTSIDE.items():
        files.append(File.generated(config, target, content=(ROOT / source).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where their pages are on the site, and draw formulas. Of links to other files of the repository the text stays."""
    target = page.file.src_uri
    if target == "index.md":
        page.meta["hide"] = ["navigation"]
    source = next((path for path, copy in OUTSIDE.items() if copy == target), f"docs/{target}")

    def led(match: re.Match[str]) -> str:
        image, text, link, anchor = match.groups()
        meant = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        if meant in OUTSIDE:
            on_site = OUTSIDE[meant]
        elif meant.startswith("docs/"):
            on_site = meant.removeprefix("docs/")
        else:  # no page: a file of the repository, or a wrong link, of which mkdocs warns
            return text if (ROOT / meant).exists() else match[0]
        return f"{image}[{text}]({posixpath.relpath(on_site, posixpath.dirname(target) or '.')}{anchor or ''})"

    markdown = LINK.sub(led, markdown)
    markdown = BLOCK.sub(lambda match: drawn(match[1], "block"), markdown)
    # in a span, as a line of text that begins with <math would be taken for a block
    return INLINE.sub(lambda match: f"<span>{drawn(match[1], 'inline')}</span>", markdown)
