"""Keep the expected values of the graded cells, even after a run in Jupyter was saved over them.

nbval compares with the outputs stored in a cell. Running a notebook and saving it replaces those by
the reader's own, right or wrong; what was expected also stands in the cell's metadata.
"""


def pytest_collection_modifyitems(items):
    for item in items:
        cell = getattr(item, "cell", None)
        expected = cell.metadata.get("nexttoken", {}).get("expected") if cell else None
        if expected is not None:
            cell.outputs = [type(cell)(output_type="stream", name="stdout", text=expected)]
            cell.execution_count = cell.execution_count or 1  # nbval does not compare a cell without
