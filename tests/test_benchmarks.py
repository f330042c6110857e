"""Each benchmark can be started where what it compares with is not installed, and says what it measures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).resolve().parents[1] / "benchmarks").glob("*.py"))
# the course installs none of them
NOT_OURS = ("transformers", "trl", "datasets", "nbgrader", "otter", "pymilvus", "lancedb")


@pytest.fixture
def start(root, tmp_path):
    """Run a benchmark where nothing is installed but the course."""
    for name in NOT_OURS:
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{name}'\")\n")

    def run(file, *arguments):
        paths = os.pathsep.join([str(tmp_path), str(root / "src")])
        environment = os.environ | {"PYTHONPATH": paths, "NEXTTOKEN_ROOT": str(root), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(file), *arguments]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )

    return run


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_a_benchmark_says_what_it_measures_and_runs_its_own_check(start, file):
    asked = start(file, "--help")
    assert asked.returncode == 0, asked.stderr
    assert f"usage: {file.name}" in asked.stdout
    if "--check" in asked.stdout:
        checked = start(file, "--check")
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_a_benchmark_that_is_imported_measures_nothing(start, tmp_path, file):
    importing = tmp_path / "importing.py"
    importing.write_text(f"import runpy\nrunpy.run_path({str(file)!r}, run_name='imported')\n")
    imported = start(importing)
    assert imported.returncode == 0, imported.stderr
    assert imported.stdout == ""


def test_where_trl_is_missing_rloo_says_how_to_install_it(start, root):
    said = start(root / "benchmarks" / "rloo.py", "--check")
    assert said.returncode == 0, said.stderr
    assert "ours runs: 4 answers" in said.stdout
    assert "skipped: No module named 'trl'" in said.stdout
    assert "install --editable . trl==" in said.stdout


def test_where_a_vector_database_is_missing_its_benchmark_says_how_to_install_it(start, root):
    said = start(root / "benchmarks" / "vector_databases.py", "--check")
    assert said.returncode == 0, said.stderr
    assert "not installed: lancedb" in said.stdout
    assert ".venv-pymilvus/bin/pip install numpy 'pymilvus[milvus-lite]'" in said.stdout
