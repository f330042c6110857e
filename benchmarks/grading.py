"""`make bench`: how fast is the class grader, and is it right, beside otter-grader and nbgrader?

The same graded cells of one chapter are given to all three, each in the form that is fastest for it
and runs in one process (otter's `api`, nbgrader's `autograde`). Theirs run the student's code beside
the checks; ours keeps it in a sandbox. Prints a table; exits with 1 if a score is wrong.

    python benchmarks/grading.py [--others PYTHON] [--size 200] [--of-others 8]
"""

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nexttoken import course
from nexttoken.classroom import answer_key, intake, running
from nexttoken.classroom.records import Records
from nexttoken.classroom.roster import class_of

CHAPTER = "attention"
HOSTILE = {  # put into `additive_scores`, which no other exercise calls
    "ends Python": "import os\nos._exit(0)",
    "loops": "while True: pass",
    "holds memory": "held = []\nwhile True: held.append(torch.ones(10_000_000))",
    "forks": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "crashes": "import ctypes\nctypes.string_at(0)",
}
STYLES = {  # right answers that look like nobody's else
    "softmax": [
        "return torch.nn.functional.softmax(scores, dim=-1)",
        "return (scores - scores.logsumexp(-1, keepdim=True)).exp()",
        "return torch.log_softmax(scores, -1).exp()",
    ],
    "attention_weights": [
        "return (torch.einsum('...qd,...kd->...qk', queries, keys) * keys.shape[-1] ** -0.5).softmax(-1)",
        "return torch.softmax((queries / keys.shape[-1] ** 0.5) @ keys.mT, dim=-1)",
    ],
    "weighted_mean": [
        "return torch.einsum('...qk,...kv->...qv', weights, values)",
        "return (weights.unsqueeze(-1) * values.unsqueeze(-3)).sum(dim=-2)",
    ],
    "causal_mask": [
        "return torch.arange(time).unsqueeze(1) >= torch.arange(time)",
        "return ~torch.triu(torch.ones(time, time, dtype=torch.bool), diagonal=1)",
        "return torch.tensor([[j <= i for j in range(time)] for i in range(time)], dtype=torch.bool).reshape(time, time)",
    ],
    "masked_softmax": [
        "filled = torch.where(mask, scores, torch.finfo(scores.dtype).min)\nreturn filled.softmax(dim=-1) * mask",
        "most = torch.where(mask, scores, -1e30).amax(-1, keepdim=True)\n"
        "powers = torch.where(mask, scores - most, -1e4).exp() * mask\n"
        "return powers / powers.sum(-1, keepdim=True).clamp_min(1e-300)",
    ],
}


def answers(bodies):
    """The chapter's file with the references' bodies, or these."""
    text = course.source_file(CHAPTER).read_text(encoding="utf-8")
    solved = course.solution_file(CHAPTER).read_text(encoding="utf-8")
    for found in course.exercises(CHAPTER):
        body = bodies.get(found.function, course.body_of(solved, found.function))
        text = course.replace_body(text, found.function, body)
    return text


def mistakes():
    """The bodies of the known wrong answers, by exercise."""
    from nexttoken.grading.judge import misconceptions

    text = course.misconceptions_file(CHAPTER).read_text(encoding="utf-8")
    return {
        found.function: [course.body_of(text, wrong.__name__) for wrong in misconceptions(found.name)]
        for found in course.exercises(CHAPTER)
    }


def a_class(size, hostile=True):
    """Files by student: of ten, four are right, three mistaken in some exercises, two unfinished, one hostile."""
    draw, known, made = random.Random(size), mistakes(), {}
    names = list(known)
    for number in range(size):
        kind = ("rrrrmmmuuh" if hostile else "rrrrrmmmuu")[number % 10]
        chosen = draw.sample(names, draw.randint(1, 4))
        if kind == "m":
            bodies = {name: draw.choice(known[name]) for name in chosen}
        elif kind == "u":
            bodies = dict.fromkeys(chosen)
        elif kind == "h":
            bodies = {"additive_scores": list(HOSTILE.values())[number // 10 % len(HOSTILE)]}
        else:
            bodies = {name: draw.choice(STYLES[name]) for name in chosen if name in STYLES}
        made[f"{kind}{number:03}"] = answers(bodies)
    return made


def put(students, folder):
    for name, text in students.items():
        file = folder / name / "src" / "nexttoken" / f"{CHAPTER}.py"
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")


class LeastMemory:
    """The least memory that was available while it was looked at, in MB."""

    def __enter__(self):
        self.before = self.least = self.free()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def _look(self):
        while not self._done.wait(0.1):
            self.least = min(self.least, self.free())

    @staticmethod
    def free():
        text = Path("/proc/meminfo").read_text()
        return next(
            int(line.split()[1]) >> 10 for line in text.splitlines() if line.startswith("MemAvailable")
        )

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()
        self.used = self.before - self.least


def ours(students, keys, jobs):
    """Seconds with a warm station, seconds that its start took, MB, and the points by student."""
    with tempfile.TemporaryDirectory() as folder:
        put(students, Path(folder) / "submissions")
        group = class_of(intake.submissions(Path(folder) / "submissions"), None)
        records = Records(Path(folder) / "out")
        with LeastMemory() as memory:
            started = time.perf_counter()
            grader = running.ThisMachine(jobs, sandbox=True)
            running.rehearse(grader, keys, False, 10.0)
            warm = time.perf_counter()
            found = running.jobs_of(group, keys, False, 4.0)
            running.run(grader, found, records, jobs, Console(stderr=True, quiet=True))
            done = time.perf_counter()
            grader.close()
        results = [records.get(job.student, CHAPTER, job.fingerprint) for job in found]
        points = {r.student: sum(v.earned for v in r.verdicts) for r in results}
        return done - warm, warm - started, memory.used, points


ORACLE = """
import json, sys
from nexttoken import course, exercise
from nexttoken.grading.judge import run_cell
key, students = json.load(sys.stdin)
cells = json.loads(key)["cells"]
points = {}
for name, text in students.items():
    exercise.EXERCISES.clear()
    import types
    module = types.ModuleType("nexttoken.attention")
    sys.modules["nexttoken.attention"] = module
    exec(compile(text, "answers", "exec"), vars(module))
    setup = "".join(cells[0]["source"])
    passed = {}
    for cell in cells[1:]:
        who = cell["metadata"]["nexttoken"]["exercise"]
        printed, error = run_cell(setup, "".join(cell["source"]))
        right = error is None and printed == "".join("".join(o["text"]) for o in cell["outputs"])
        passed[who] = passed.get(who, True) and right
    points[name] = sum(e.points for e in course.exercises("attention") if passed[e.name])
json.dump(points, sys.stdout)
"""


def expected(students, key):
    """The points of every student who does nothing hostile, found by calling the functions in one process."""
    harmless = {name: text for name, text in students.items() if not name.startswith("h")}
    done = subprocess.run(
        [sys.executable, "-c", ORACLE],
        input=json.dumps([key.notebook, harmless]),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    points = json.loads(done.stdout.splitlines()[-1])
    lost = next(e.points for e in course.exercises(CHAPTER) if e.function == "additive_scores")
    of_hostile = sum(e.points for e in course.exercises(CHAPTER)) - lost
    return {name: points.get(name, of_hostile) for name in students}


def rejected_over(seeds):
    """How many right answers in unusual styles are rejected, of how many, over so many seeds."""
    os.environ["NEXTTOKEN_REFERENCE"] = "1"
    from nexttoken import exercise
    from nexttoken.grading.judge import import_chapter, run_cell

    import_chapter(CHAPTER)
    tried = rejected = 0
    for seed in range(seeds):
        cells = json.loads(answer_key.make_key(CHAPTER, f"seed {seed}").notebook)["cells"]
        setup = "".join(cells[0]["source"])
        for name, bodies in STYLES.items():
            for body in bodies:
                space = dict(vars(sys.modules[f"nexttoken.{CHAPTER}"]))
                parameters = ", ".join(exercise.EXERCISES[f"{CHAPTER}.{name}"].__code__.co_varnames[:2])
                if name == "causal_mask":
                    parameters = "time"
                exec(f"def answer({parameters}):\n    " + body.replace("\n", "\n    "), space)
                with exercise.rules_restored():
                    exercise.answer_with({f"{CHAPTER}.{name}": space["answer"]})
                    own = [
                        c for c in cells[1:] if c["metadata"]["nexttoken"]["exercise"].endswith(f".{name}")
                    ]
                    printed = [run_cell(setup, "".join(cell["source"]))[0] for cell in own]
                tried += 1
                rejected += printed != ["".join(cell["outputs"][0]["text"]) for cell in own]
    return rejected, tried


# The others: each gets a notebook that imports the student's file, and checks that run the same cells.

CHECK = """
import contextlib, io
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    exec({source!r}, dict({space}))
assert printed.getvalue() == {expected!r}
"""


def student_notebook(file, key, extra=()):
    """A notebook whose first cells make the student's functions known."""
    from nbformat.v4 import new_code_cell, new_notebook

    setup = json.loads(key.notebook)["cells"][0]["source"]
    begin = (
        f"import os, sys\nos.environ['NEXTTOKEN_BOX'] = '1'\n"
        f"import importlib.util\nspec = importlib.util.spec_from_file_location('nexttoken.{CHAPTER}', {str(file)!r})\n"
        f"module = importlib.util.module_from_spec(spec)\nsys.modules['nexttoken.{CHAPTER}'] = module\n"
        "spec.loader.exec_module(module)"
    )
    first = [new_code_cell(text, id=f"first-{i}") for i, text in enumerate((begin, "".join(setup)))]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=[*first, *extra], metadata=kernel)


def by_otter(python, students, key, folder):
    import nbformat

    tests = folder / "tests"
    tests.mkdir(parents=True)
    for found in course.exercises(CHAPTER):
        own = [c for c in key.cells() if c["metadata"]["nexttoken"]["exercise"] == found.name]
        parts = [
            "from otter.test_files import test_case",
            "OK_FORMAT = False",
            f"name = {found.function!r}",
            f"points = {found.points}",
        ]
        for number, cell in enumerate(own):
            text = "".join(cell["outputs"][0]["text"])
            check = CHECK.format(source="".join(cell["source"]), space="env", expected=text)
            indented = check.strip().replace("\n", "\n    ")
            parts.append(f"@test_case()\ndef test_{number}(env):\n    {indented}")
        (tests / f"{found.function}.py").write_text("\n".join(parts), encoding="utf-8")
    notebooks = []
    for name, text in students.items():
        file = folder / "answers" / name / f"{CHAPTER}.py"
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
        notebook = folder / "notebooks" / f"{name}.ipynb"
        notebook.parent.mkdir(exist_ok=True)
        nbformat.write(student_notebook(file, key), notebook)
        notebooks.append(str(notebook))
    script = """
import json, sys, time
from otter.api import grade_submission
from otter.generate import main as generate
generate(tests_dir="tests", output_path="autograder.zip", no_environment=True)
started, points = time.perf_counter(), {}
for file in sys.argv[1:]:
    points[file] = grade_submission(file, "autograder.zip", quiet=True).total
print(json.dumps([time.perf_counter() - started, points]))
"""
    return others_run(python, ["-c", script, *notebooks], folder)


def by_nbgrader(python, students, key, folder):
    import nbformat
    from nbformat.v4 import new_code_cell

    cells = []
    for number, cell in enumerate(key.cells()):
        name = cell["metadata"]["nexttoken"]["exercise"]
        marks = {
            "grade": True,
            "grade_id": f"test-{number}",
            "locked": True,
            "points": 1,
            "schema_version": 3,
            "solution": False,
            "task": False,
        }
        source = CHECK.format(
            source="".join(cell["source"]), space="globals()", expected="".join(cell["outputs"][0]["text"])
        )
        cells.append(new_code_cell(f"# {name}{source}", id=f"test-{number}", metadata={"nbgrader": marks}))
    source = folder / "source" / "ps1"
    source.mkdir(parents=True)
    for number, (name, text) in enumerate(students.items()):
        file = folder / "answers" / name / f"{CHAPTER}.py"
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
        notebook = folder / "submitted" / name / "ps1" / "attn.ipynb"
        notebook.parent.mkdir(parents=True)
        nbformat.write(student_notebook(file, key, cells), notebook)
        if number == 0:
            shutil.copy(notebook, source / "attn.ipynb")
    script = """
import json, os, subprocess, sys, time
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config
config = Config()
config.CourseDirectory.root = os.getcwd()
config.CourseDirectory.course_id = "c"
api = NbGraderAPI(config=config)
made = api.generate_assignment("ps1")
assert made["success"], made["log"][-900:]
started, points = time.perf_counter(), {}
for student in sys.argv[1:]:
    done = api.autograde("ps1", student)
    assert done["success"], done["log"][-900:]
    points[student] = True
print(json.dumps([time.perf_counter() - started, points]))
"""
    return others_run(python, ["-c", script, *students], folder)


def others_run(python, arguments, folder):
    """Seconds that another grader took, and what it found."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(course.root() / "src"),
        "NEXTTOKEN_ROOT": str(course.root()),
        "PATH": f"{Path(python).parent}:{os.environ['PATH']}",  # nbgrader calls alembic
    }
    done = subprocess.run(
        [python, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--others", default="", help="a Python that has otter-grader and nbgrader")
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--of-others", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=running.default_jobs())
    parser.add_argument("--seeds", type=int, default=50)
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {asked.jobs} jobs at once", flush=True)
    keys = answer_key.keys_for([CHAPTER], "benchmark")
    cells = len(keys[CHAPTER].cells())
    table = Table(
        "grader", "submissions", "seconds each", "MB", box=None, title=f"One notebook, {cells} graded cells"
    )
    wrong, each = [], {}
    for label, size, hostile in (
        ("ours", 20, False),
        ("ours", asked.size, False),
        (f"ours, {asked.size // 10} of them hostile", asked.size, True),
    ):
        students = a_class(size, hostile)
        seconds, start, used, points = ours(students, keys, asked.jobs)
        right = expected(students, keys[CHAPTER])
        wrong += [
            f"{name}: {points.get(name)}, not {right[name]}"
            for name in right
            if points.get(name) != right[name]
        ]
        each[label, size] = seconds / size
        table.add_row(
            f"{label} (its start: {start:.1f} s more)", str(size), f"{seconds / size:.2f}", f"{used:,}"
        )
    if asked.others:
        students = a_class(asked.of_others, hostile=False)
        for label, grade in (("otter-grader, api", by_otter), ("nbgrader autograde", by_nbgrader)):
            with tempfile.TemporaryDirectory() as folder:
                seconds, _ = grade(asked.others, students, keys[CHAPTER], Path(folder))
            ratio = seconds / len(students) / each["ours", asked.size]
            table.add_row(
                label, str(len(students)), f"{seconds / len(students):.2f} ({ratio:.0f} x ours)", ""
            )
    Console().print(table)
    with contextlib.redirect_stderr(io.StringIO()):
        rejected, tried = rejected_over(asked.seeds)
    print(f"{rejected} of {tried} right answers in unusual styles rejected, over {asked.seeds} seeds")
    for line in wrong:
        print(f"WRONG {line}")
    sys.exit(1 if wrong or rejected else 0)


if __name__ == "__main__":
    main()
