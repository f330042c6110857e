"""The results for other programs: Gradescope's results.json, and JUnit XML."""

import json
from collections.abc import Sequence
from xml.etree import ElementTree

from nexttoken.classroom.marks import Mark, Sheet, plain, total
from nexttoken.grading.verdict import State

# XML has no way to write these, not even escaped.
_NOT_XML = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 65534, 65535, *range(55296, 57344)], "�")


def gradescope(sheet: Sheet) -> str:
    """What Gradescope's autograder hands over for one submission; no score where the grader failed."""
    tests = [
        {
            "name": mark.verdict.exercise,
            "number": str(number),
            "max_score": mark.verdict.points,
            **({} if mark.open else _score(mark)),
            "output": words(sheet, number - 1),
            "visibility": "visible",
        }
        for number, mark in enumerate(sheet.marks, start=1)
    ]
    results = {
        **({} if sheet.open else {"score": plain(sheet.earned)}),
        "execution_time": round(sheet.seconds, 2),
        "output": "\n".join(sheet.notes),
        "output_format": "text",
        "test_output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(results, indent=1)


def _score(mark: Mark) -> dict[str, object]:
    passed = mark.earned >= mark.verdict.points
    return {"score": plain(mark.earned), "status": "passed" if passed else "failed"}


def words(sheet: Sheet, number: int) -> str:
    """What the author of an answer is told, as plain text."""
    mark = sheet.marks[number]
    verdict = mark.verdict
    parts = [
        verdict.state.value if verdict.right else f"{verdict.state.value}. {verdict.misconception}".strip()
    ]
    if not verdict.right:
        parts += [verdict.message, verdict.call]
        if verdict.got:
            parts.append(f"yours\n{verdict.got}")
        if verdict.expected:
            parts.append(f"expected\n{verdict.expected}")
        parts.append(verdict.where)
    if mark.by_hand is not None:
        parts.append(f"{plain(mark.by_hand)} points given by hand. {mark.reason}".strip())
    return "\n\n".join(part for part in parts if part)


def junit(sheets: Sequence[Sheet]) -> str:
    """A test suite for every student, with a case for every exercise."""
    root = ElementTree.Element("testsuites", name="nexttoken grade")
    for sheet in sheets:
        failed = [mark for mark in sheet.marks if not mark.verdict.right]
        blank = [mark for mark in failed if mark.verdict.state is State.NOT_DONE]
        lost = [mark for mark in failed if mark.verdict.state is State.NOT_GRADED]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_clean(sheet.student.id),
            tests=str(len(sheet.marks)),
            failures=str(len(failed) - len(blank) - len(lost)),
            skipped=str(len(blank)),
            errors=str(len(lost)),
            time=f"{sheet.seconds:.3f}",
        )
        for number, mark in enumerate(sheet.marks):
            chapter, _, function = mark.verdict.exercise.partition(".")
            case = ElementTree.SubElement(suite, "testcase", classname=chapter, name=function, time="0")
            properties = ElementTree.SubElement(case, "properties")
            for name, value in (("points", mark.verdict.points), ("earned", total([mark]))):
                ElementTree.SubElement(properties, "property", name=name, value=str(value))
            if not mark.verdict.right:
                kind = "skipped" if mark in blank else "error" if mark in lost else "failure"
                message = _clean(mark.verdict.message.partition("\n")[0])
                ElementTree.SubElement(case, kind, message=message).text = _clean(words(sheet, number))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _clean(text: str) -> str:
    return text.translate(_NOT_XML)
