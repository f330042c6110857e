"""The command line: `nexttoken check`, `watch`, `hint` and the rest.

Exit codes: 0, all that was asked is right; 1, something is unfinished or wrong; 2, the call
itself is (an unknown name, a missing file); 130, stopped by Ctrl-C.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from nexttoken import course

# What a command alone needs is imported in it: `nexttoken check` is to answer soon after torch is there.
if TYPE_CHECKING:
    from nexttoken.grading.verdict import Verdict

app = typer.Typer(
    name="nexttoken",
    help="Check, watch and get on with the exercises of *Next Token, Please*.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console()

Name = Annotated[
    str | None, typer.Argument(metavar="[CHAPTER|EXERCISE]", help="Like `attention`, or `attention.softmax`.")
]
ExerciseName = Annotated[
    str, typer.Argument(metavar="EXERCISE", help="Like `attention.softmax`, or `softmax`.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead, for scripts.")]
TimeLimit = Annotated[float, typer.Option(min=0.1, help="Seconds that one exercise may take.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def check(name: Name = None, as_json: Json = False, time_limit: TimeLimit = course.TIME_LIMIT) -> None:
    """Run the graded cells against your functions, and say what is wrong and why."""
    from nexttoken.grading import report
    from nexttoken.grading.processes import judge_apart

    verdicts = list(judge_apart(course.selection(name), time_limit))
    if as_json:
        _print_json(verdicts)
    else:
        for verdict in verdicts:
            unfinished_among_many = verdict.state == "not done yet" and len(verdicts) > 1
            if not unfinished_among_many and (text := report.details(verdict)) is not None:
                console.print(text)
        console.print(report.table(verdicts))
        console.print(report.next_step(verdicts), highlight=False)
    raise typer.Exit(0 if all(v.right for v in verdicts) else 1)


@app.command()
def status(as_json: Json = False, time_limit: TimeLimit = course.TIME_LIMIT) -> None:
    """Show how far you are: points and what is left, chapter by chapter."""
    from nexttoken.grading import report
    from nexttoken.grading.processes import judge_apart

    verdicts = list(judge_apart(course.all_exercises(), time_limit))
    if as_json:
        _print_json(verdicts)
    else:
        console.print(report.summary(verdicts))
        console.print(report.next_step(verdicts), highlight=False)
    raise typer.Exit(0 if all(v.right for v in verdicts) else 1)


def _print_json(verdicts: "list[Verdict]") -> None:
    points = {"points": sum(v.points for v in verdicts), "earned": sum(v.earned for v in verdicts)}
    print(json.dumps({"exercises": [v.as_dict() for v in verdicts]} | points, indent=1))


@app.command()
def watch(name: Name = None, time_limit: TimeLimit = course.TIME_LIMIT) -> None:
    """Check again each time you save. Ctrl-C ends it."""
    from nexttoken.grading.watching import watch_files

    course.selection(name)  # an unknown name is said now, not at the first save
    watch_files(name, time_limit, console)


@app.command()
def review(
    exercise: ExerciseName,
    file: Annotated[
        typer.FileText,
        typer.Argument(
            encoding="utf-8", errors="replace", help="Where the code is; `-` reads what is typed."
        ),
    ],
    as_json: Json = False,
    time_limit: TimeLimit = course.TIME_LIMIT,
) -> None:
    """Let the checks judge code that somebody else wrote, an assistant for example. It is run, in no sandbox."""
    from nexttoken.grading import report, reviewing

    verdict = reviewing.review(exercise, file.read(), time_limit)
    if as_json:
        _print_json([verdict])
    else:
        if (text := report.details(verdict)) is not None:
            console.print(text)
        console.print(report.table([verdict]))
    raise typer.Exit(0 if verdict.right else 1)


@app.command()
def hint(exercise: ExerciseName, as_json: Json = False) -> None:
    """Show the next hint: a nudge first, then more each time you ask."""
    from rich.markdown import Markdown

    from nexttoken.grading.hints import next_hint

    found = course.exercise_named(exercise)
    number, count, text = next_hint(found.name)
    if as_json:
        print(json.dumps({"exercise": found.name, "hint": number, "of": count, "text": text}))
        return
    console.print(f"[bold]{found.name}[/], hint {number} of {count}", highlight=False)
    console.print(Markdown(text))
    if number == count:
        after = f" nexttoken solution {found.name} shows the reference." if course.has_solutions() else ""
        console.print(f"That was the last one.{after}", style="dim")


@app.command()
def solution(
    exercise: ExerciseName,
    yes: Yes = False,
    write: Annotated[
        bool, typer.Option("--write", help="Put it into your file; the old file is kept.")
    ] = False,
) -> None:
    """Show the reference's answer, after asking whether you want to see it."""
    from rich.syntax import Syntax

    from nexttoken import answers

    found = course.exercise_named(exercise)
    body = answers.solution_body(found)
    if not yes:
        typer.confirm(f"Show the answer to {found.name}? Another try, or a hint, teaches more.", abort=True)
    console.print(Syntax(body, "python", background_color="default"))
    if write:
        kept = answers.put_in_solution(found)
        console.print(f"Written to {found.where}. The old file is kept: {_relative(kept)}", highlight=False)


@app.command()
def reset(exercise: ExerciseName, yes: Yes = False) -> None:
    """Make an exercise unfinished again. What you wrote is kept, and you are told where."""
    from nexttoken import answers

    found = course.exercise_named(exercise)
    if not yes:
        typer.confirm(f"Empty {found.name} ({found.where})?", abort=True)
    kept = answers.put_back_stub(found)
    console.print(f"{found.name} is a stub again. The old file is kept: {_relative(kept)}", highlight=False)


@app.command()
def update(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    remote: Annotated[str, typer.Option(help="The git remote that holds the course.")] = "",
    branch: Annotated[str, typer.Option(help="Its branch.")] = "main",
) -> None:
    """Merge a newer course into yours. Your answers stay, and are saved before anything else."""
    from nexttoken import updating

    for line in updating.update(dry_run=dry_run, remote=remote, branch=branch):
        console.print(line, highlight=False, markup=False)


@app.command()
def grade(
    submissions: Annotated[
        Path,
        typer.Argument(help="A folder or a zip file: one folder, zip file or .py file for each student."),
    ],
    out: Annotated[Path, typer.Option(help="Where the marks and pages go.")] = Path("grades"),
    chapters: Annotated[str, typer.Option(help="Like `attention,qkv`; all of them if left out.")] = "",
    seed_file: Annotated[
        Path | None, typer.Option(help="Holds the secret seed, so that another run can use the same.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=0, help="How many at once; 0 is twice the cores.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Keep what an earlier run has graded.")] = False,
    roster: Annotated[Path | None, typer.Option(help="A CSV file of the class: id, name, email.")] = None,
    exam: Annotated[
        bool, typer.Option("--exam", help="No reference anywhere: chapters stand on the student's own.")
    ] = False,
    no_sandbox: Annotated[
        bool, typer.Option("--no-sandbox", help="Let the code do on this machine whatever it likes.")
    ] = False,
    scheduler: Annotated[str, typer.Option(help="The address of a Dask scheduler.")] = "",
    time_limit: TimeLimit = course.TIME_LIMIT,
) -> None:
    """Grade a class: every submission in a sandbox, with a secret seed. For teachers, on Linux."""
    from nexttoken.classroom import grading, running

    asked = grading.Request(
        submissions,
        out,
        _words(chapters),
        seed_file,
        jobs,
        resume,
        roster,
        exam,
        not no_sandbox,
        scheduler,
        time_limit,
    )
    try:
        grading.grade(asked, console)
    except running.Interrupted as stopped:
        console.print(str(stopped), highlight=False)
        raise typer.Exit(130) from None
    except grading.Ungraded as failure:
        console.print(str(failure), style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None


@app.command()
def assignment(
    out: Annotated[Path, typer.Argument(help="A new folder, or a new zip file.")],
    chapters: Annotated[str, typer.Option(help="Like `attention,qkv`; all of them if left out.")] = "",
    title: Annotated[str, typer.Option(help="What the hand-out is called.")] = "Next Token, Please",
    no_site: Annotated[bool, typer.Option("--no-site", help="Leave out the built book.")] = False,
) -> None:
    """Make the hand-out for a class: the course without the answers."""
    from nexttoken.classroom import assignment as hand_out
    from nexttoken.classroom.grading import chosen_chapters

    site = None if no_site else course.root() / "_build" / "html"
    if site is not None and not (site / "index.html").is_file():
        raise FileNotFoundError("There is no built site to hand out: make book, or --no-site.")
    made = hand_out.make(out, chosen_chapters(_words(chapters)), title, site)
    console.print(f"Made {made}.", highlight=False, markup=False)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _relative(file: Path) -> str:
    return file.relative_to(course.root()).as_posix()


def _fail(message: str) -> NoReturn:
    Console(stderr=True).print(message, style="red", highlight=False, markup=False)
    sys.exit(2)


def main() -> None:
    """The entry point: errors that a user can mend are one sentence, not a traceback."""
    try:
        app()
    except (course.UnknownName, OSError, ValueError, RuntimeError) as error:
        _fail(str(error))
    except SyntaxError as error:
        _fail(f"Python cannot read {error.filename}, line {error.lineno}: {error.msg}")


if __name__ == "__main__":
    main()
