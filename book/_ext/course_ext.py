"""What the book needs beyond Jupyter Book.

- `Outputs`: a page is executed again when something that it imports has changed.
- A box of the class `exercises-attention` becomes the table of a chapter's exercises, from `nexttoken.course`.
- A box of the class `html-figure-gpt` becomes the figure in `_figures/gpt.html`. In a notebook the box stays;
  the page says its words to whoever runs no JavaScript, or as the title of a drawing.
- ``{workload}`attention` ``: how many exercises, points and minutes a chapter has.
- "Report a mistake on this page" in every footer.
- A new stylesheet or script reaches a site that was built before.
- A bibliography that screen readers take for a list.
"""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterable
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from docutils import nodes
from fingerprint import code_cells, fingerprint
from jupyter_cache import get_cache
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxRole
from sphinx.util.nodes import make_refnode

from nexttoken import course


class Outputs:
    """Drops the kept outputs of a page when a file on which they depend has changed."""

    def __init__(self) -> None:
        self.fingerprints: dict[str, str] = {}

    def drop_stale(self, app: Sphinx, env: BuildEnvironment, *_: set[str]) -> list[str]:
        """Forget the outputs that are out of date, and name their pages, which Sphinx then reads again."""
        self.fingerprints = {}
        for page in env.found_docs:
            file = Path(env.doc2path(page))
            if is_executed(file, env) and (cells := code_cells(file)):
                self.fingerprints[page] = fingerprint(cells, Path(app.srcdir))
        before = self._record(env)
        known = json.loads(before.read_text()) if before.is_file() else {}
        stale = [page for page, now in self.fingerprints.items() if known.get(page) != now]
        cache = get_cache(env.mystnb_config.execution_cache_path)
        files = {str(env.doc2path(page)) for page in stale}
        for record in cache.list_cache_records():
            if record.uri in files:
                cache.remove_cache(record.pk)
        return stale

    def remember(self, app: Sphinx, exception: Exception | None) -> None:
        """Write down under which fingerprint each page was executed; one that failed is tried again."""
        if exception is not None or not self.fingerprints:
            return
        succeeded = {
            page: now
            for page, now in self.fingerprints.items()
            if (NbMetadataCollector.get_exec_data(app.env, page) or {}).get("succeeded")
        }
        self._record(app.env).write_text(json.dumps(succeeded, indent=1))

    @staticmethod
    def _record(env: BuildEnvironment) -> Path:
        # Inside the cache, so that who deletes the one deletes the other.
        return Path(env.mystnb_config.execution_cache_path) / "fingerprints.json"


def is_executed(file: Path, env: BuildEnvironment) -> bool:
    """Whether the build executes this page; the exercises' stored outputs are shown as they are."""
    settings = env.mystnb_config
    left_out = any(PurePosixPath(file).match(pattern) for pattern in settings.execution_excludepatterns)
    return settings.execution_mode == "cache" and not left_out


class Boxes(SphinxTransform):
    """Puts into the place of a box what only the site can show: see `KINDS`."""

    default_priority = 200  # before links are resolved

    def apply(self, **_: Any) -> None:
        for box in list(self.document.findall(nodes.admonition)):
            for name in box["classes"]:
                for kind, shown in KINDS.items():
                    if name.startswith(f"{kind}-"):
                        words = " ".join(word for part in box.children[1:] for word in part.astext().split())
                        box.replace_self(shown(name.removeprefix(f"{kind}-"), words, self.env))


def exercises_table(name: str, _: str, env: BuildEnvironment) -> nodes.Node:
    """A table of the exercises of a chapter: name, minutes, points, and their sums."""
    chapter = name.replace("-", "_")  # no class has an underscore
    env.note_dependency(str(course.source_file(chapter)))
    exercises = course.exercises(chapter)
    rows = [[link_to(e.name, e.function, env), str(e.minutes), str(e.points)] for e in exercises]
    minutes, points = sum(e.minutes for e in exercises), sum(e.points for e in exercises)
    return table(["Exercise", "Minutes", "Points"], [*rows, ["all", str(minutes), str(points)]])


def html_figure(name: str, words: str, env: BuildEnvironment) -> nodes.Node:
    """A figure from `_figures/`, in which {words} stands for what is said instead of it."""
    file = Path(env.srcdir) / "book" / "_figures" / f"{name}.html"
    if not file.is_file():
        there = ", ".join(sorted(other.stem for other in file.parent.glob("*.html")))
        raise ExtensionError(f"html-figure: there is no {file.name} in book/_figures, only {there}")
    if not words:
        raise ExtensionError(f"html-figure: what is said instead of {file.name}?")
    env.note_dependency(str(file))
    return nodes.raw("", file.read_text(encoding="utf-8").replace("{words}", escape(words)), format="html")


KINDS = {"exercises": exercises_table, "html-figure": html_figure}


class Workload(SphinxRole):
    """How much the exercises of a chapter, or of "all", ask: "10 exercises, 18 points, about 140 minutes"."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        chapters = course.chapters() if self.text == "all" else (self.text,)
        for chapter in chapters:
            self.env.note_dependency(str(course.source_file(chapter)))
        exercises = [exercise for chapter in chapters for exercise in course.exercises(chapter)]
        minutes, points = sum(e.minutes for e in exercises), sum(e.points for e in exercises)
        return [nodes.Text(f"{len(exercises)} exercises, {points} points, about {minutes} minutes")], []


def table(header: list[str], rows: list[list[str | nodes.Node]]) -> nodes.table:
    """A table with one header row, whose last row is a sum."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in header), cols=len(header))
    group += nodes.thead("", table_row(header))
    group += nodes.tbody("", *(table_row(row) for row in rows))
    return nodes.table("", group, classes=["exercises"])


def table_row(cells: list[str] | list[str | nodes.Node]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        content = nodes.Text(cell) if isinstance(cell, str) else cell
        row += nodes.entry("", nodes.paragraph("", "", content))
    return row


def link_to(exercise: str, text: str, env: BuildEnvironment) -> pending_xref:
    """A link to the section of this exercise, found once all pages have been read."""
    content = nodes.literal("", text)
    return pending_xref(
        "", content, refdomain="", reftype="exercise", reftarget=exercise, refdoc=env.docname, refwarn=True
    )


def find_section(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve `link_to`: the section of the graded notebook whose title holds the function's name as code."""
    if node["reftype"] != "exercise":
        return None
    chapter, _, function = node["reftarget"].partition(".")
    page = f"exercises/{chapter}"
    for title in env.tocs.get(page, nodes.container()).findall(nodes.reference):
        if any(code.astext() == function for code in title.findall(nodes.literal)):
            anchor = title["anchorname"].removeprefix("#")
            return make_refnode(app.builder, node["refdoc"], page, anchor, content, function)
    return None


def repository_address(root: Path) -> str | None:
    """Where the course is published: $NEXTTOKEN_REPOSITORY, or else the remote of this checkout."""
    named = os.environ.get("NEXTTOKEN_REPOSITORY")
    if named:
        return public_address(named)
    git = ["git", "-C", str(root), "remote", "get-url", "origin"]
    try:
        answer = subprocess.run(git, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git here
        return None
    return public_address(answer.stdout.strip())


def public_address(remote: str) -> str | None:
    """The https address of a remote at a forge; None for a path, a machine nearby, or nothing.

    >>> public_address("git@forge.example.org:people/course.git")
    'https://forge.example.org/people/course'
    """
    if short := re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+\.[\w.-]+):(?!//)(\S+)", remote):
        remote = f"ssh://{short[1]}/{short[2]}"
    parts = urlsplit(remote)
    host = parts.hostname or ""  # without a user's name or password
    path = parts.path.strip("/").removesuffix(".git")
    # A forge has a name with a dot in it, which numbers and "localhost" have not.
    is_named = re.fullmatch(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,}", host) is not None
    if parts.scheme not in ("http", "https", "ssh") or not is_named or "/" not in path:
        return None
    return f"https://{host}/{path}"


def report_address(repository: str, page: str) -> str:
    """Where a new issue about this page begins, with its title filled in."""
    title = quote(f"Mistake in {page}")
    if "gitlab" in (urlsplit(repository).hostname or ""):
        return f"{repository}/-/issues/new?issue[title]={title}"
    return f"{repository}/issues/new?title={title}"


def set_repository(app: Sphinx, config: Any) -> None:
    """Put the address into the configuration, so that a new one makes Sphinx write every page again."""
    config.course_repository = repository_address(Path(app.srcdir)) or ""


def set_static(app: Sphinx, config: Any) -> None:
    """Put a checksum of styles and scripts into the configuration: Sphinx copies them only if it writes a page."""
    config.course_static = static_checksum(Path(app.srcdir, folder) for folder in config.html_static_path)


def static_checksum(folders: Iterable[Path]) -> str:
    """Another one when a file in one of these folders is edited, comes, goes, or has a new name."""
    found = hashlib.sha256()
    for folder in folders:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            found.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
            found.update(file.read_bytes())
    return found.hexdigest()


def add_report_link(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None
) -> None:
    """Give the footer its link: the published repository's issues, or how to go without."""
    if app.config.course_repository:
        context["report_url"] = report_address(app.config.course_repository, page)
    else:
        # From that page itself the way to it is "#".
        context["report_url"] = context["pathto"]("book/how_to_work").rstrip("#") + "#report-a-mistake"


def name_roles_in_bibliography(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None
) -> None:
    """Make each source an item of its list: docutils gives them a role that no list may hold."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict[str, Any]:
    outputs = Outputs()
    app.connect("env-get-outdated", outputs.drop_stale)
    app.connect("build-finished", outputs.remember)
    app.add_transform(Boxes)
    app.add_role("workload", Workload())
    app.connect("missing-reference", find_section)
    app.add_config_value("course_repository", "", "html", [str])
    app.connect("config-inited", set_repository)
    app.add_config_value("course_static", "", "html", [str])
    app.connect("config-inited", set_static)
    app.connect("html-page-context", add_report_link)
    app.connect("html-page-context", name_roles_in_bibliography)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
