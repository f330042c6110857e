"""On what a page's outputs depend: the files that its code imports, those that answer its calls, trained models, and
which of the libraries that it would use are not installed.

Jupyter Book keeps the outputs of a page until the page's own code cells change. An edit of
`src/` or `solutions/` would leave the old outputs in place; a hash of these files tells.
"""

import ast
import hashlib
import json
import re
from importlib.util import find_spec, resolve_name
from pathlib import Path

import nbformat
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook

PACKAGE = "nexttoken"


def code_cells(page: Path) -> list[str]:
    """The code cells of a text notebook or an .ipynb; none where the page is plain text."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        notebook = nbformat.reads(text, as_version=4)
    elif is_myst_markdown_notebook(text):
        notebook = read_myst_markdown_notebook(text)
    else:
        return []
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def fingerprint(cells: list[str], root: Path) -> str:
    """A hash of all files on which the outputs of these cells depend, and of the libraries that they miss."""
    digest = hashlib.sha256()
    files = sorted(dependencies(cells, root))
    for file in files:
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
        digest.update(contents(file) + b"\0")
    for library in missing_libraries(
        [file.read_text(encoding="utf-8") for file in files if file.suffix == ".py"]
    ):
        digest.update(f"{library} is missing\0".encode())
    return digest.hexdigest()


def contents(file: Path) -> bytes:
    """What counts of a file: of a notebook not what its reader's last run has printed."""
    if file.suffix != ".ipynb":
        return file.read_bytes()
    notebook = nbformat.read(file, as_version=4)
    return json.dumps([(cell.source, cell.metadata.get(PACKAGE)) for cell in notebook.cells]).encode()


def dependencies(cells: list[str], root: Path) -> set[Path]:
    """The files of the package that these cells import, directly or not, with what answers for them."""
    source = root / "src"
    words = set(re.findall(r"\w+", "\n".join(cells)))
    found: set[Path] = set()
    waiting = {file for cell in cells for file in imported_files(without_magics(cell), "", source)}
    while waiting:
        file = waiting.pop()
        found.add(file)
        package = ".".join(file.parent.relative_to(source).parts)
        code = file.read_text(encoding="utf-8")
        if file.name == "__init__.py":
            code = without_functions(code, words)
        waiting |= imported_files(code, package, source) - found
        if file == grader(root):
            waiting |= chapter_files(root, f"src/{PACKAGE}/{{}}.py") - found
    return found | answers(found, root) | trained_models(found, root)


def imported_files(code: str, package: str, source: Path) -> set[Path]:
    """The files below `source` that this code imports, at the top or inside a function."""
    names = imported_names(code, package)
    return {file for name in names if name.split(".")[0] == PACKAGE for file in module_files(name, source)}


def imported_names(code: str, package: str) -> set[str]:
    """All that this code imports, by its full name: `from a.b import c` is a.b.c, be c a module or inside one."""
    try:
        tree = ast.parse(code)
    except SyntaxError:  # its own bytes are hashed all the same
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def missing_libraries(codes: list[str]) -> list[str]:
    """What this code imports, or would import, and is not installed: a page may do without, and say so."""
    somewhere = f"{PACKAGE}.some.where"  # what is imported relatively is the course's own
    names = {name.split(".")[0] for code in codes for name in imported_names(code, somewhere)}
    return sorted(name for name in names if find_spec(name) is None)


def without_functions(code: str, kept: set[str]) -> str:
    """The code of a package without the functions that nobody names: what they import is never loaded.

    `nexttoken.check` imports the grader when it is called; a page that does not call it does not depend on it.
    """
    tree = ast.parse(code)
    tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef) or node.name in kept]
    return ast.unparse(tree)


def module_files(name: str, source: Path) -> set[Path]:
    """The files that `import a.b.c` runs: a/__init__.py, a/b/__init__.py, a/b/c.py, as far as they exist."""
    parts = name.split(".")
    stems = [source.joinpath(*parts[: end + 1]) for end in range(len(parts))]
    candidates = [file for stem in stems for file in (stem.with_suffix(".py"), stem / "__init__.py")]
    return {file for file in candidates if file.is_file()}


def grader(root: Path) -> Path:
    """What a page imports that judges answers."""
    return root / "src" / PACKAGE / "grading" / "__init__.py"


def chapter_files(root: Path, pattern: str) -> set[Path]:
    """The chapters' files of this pattern: the grader imports and reads them by name."""
    chapters = [file.stem for file in (root / "exercises").glob("*.ipynb")]
    candidates = [root / pattern.format(chapter) for chapter in chapters]
    return {file for file in candidates if file.is_file()}


def answers(modules: set[Path], root: Path) -> set[Path]:
    """What answers the exercises of these modules: the references; for the grader all that it judges by."""
    package = root / "src" / PACKAGE
    references = {root / "solutions" / file.name for file in modules if file.parent == package}
    found = {file for file in references if file.is_file()}
    if grader(root) in modules:
        found |= chapter_files(root, "solutions/misconceptions/{}.py")
        found |= chapter_files(root, "exercises/{}.ipynb") | {root / "_toc.yml"}
    return found


def trained_models(modules: set[Path], root: Path) -> set[Path]:
    """All that was made ahead, if a module can load it: which model it loads, only a run would tell."""
    if root / "src" / PACKAGE / "lab" / "checkpoints.py" not in modules:
        return set()
    folder = root / "checkpoints"
    return {*folder.glob("*.safetensors"), *folder.glob("*.json")}


def without_magics(cell: str) -> str:
    """The cell as plain Python: lines for IPython (`%timeit`, `!ls`) are left out."""
    return "\n".join(line for line in cell.splitlines() if not line.lstrip().startswith(("%", "!")))
