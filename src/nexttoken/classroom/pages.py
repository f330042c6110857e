"""The pages that people read: one for each student, and one of the class.

Each is a single file without scripts that loads nothing, and whatever came from a student is
escaped: every value goes through `Markup.format` of markupsafe.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from io import StringIO
from itertools import groupby

from markupsafe import Markup

from nexttoken.classroom.marks import Mark, Sheet, plain, total
from nexttoken.classroom.roster import Class
from nexttoken.grading.verdict import ONE_OF_SEVERAL, State

MOST_COMMON = 12
_STYLE = Markup("""
:root { color-scheme: light dark; --ink: #1d1d24; --soft: #5a5a66; --paper: #fff; --line: #d5d5de; --right: #17603a;
  --wrong: #9c1c1c; --code: #f4f4f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf1; --soft: #b4b4c0; --paper: #17171c; --line: #44444f;
  --right: #7fd8a4; --wrong: #ff9d9d; --code: #22222a; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; } h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
pre { background: var(--code); padding: .6rem .8rem; overflow-x: auto; font-size: .85rem; line-height: 1.4; margin: .3rem 0; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .15rem .9rem .15rem 0; border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; } .right { color: var(--right); } .wrong { color: var(--wrong); } .soft { color: var(--soft); }
.sides { display: flex; flex-wrap: wrap; gap: 0 1.5rem; } .sides > div { flex: 1 1 16rem; min-width: 0; }
.mistake { font-weight: 600; } .scroll { overflow-x: auto; } svg { max-width: 100%; height: auto; background: #fff; }
""")
_PAGE = Markup(
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
)
# What is too wide for a phone scrolls, and with tabindex it does so by the keyboard, too.
_TABLE = Markup('<div class="scroll" role="region" aria-label="{}" tabindex="0"><table>{}{}</table></div>')
_CODE = Markup('<pre role="group" aria-label="{}" tabindex="0">{}</pre>')
_SIGN = {State.RIGHT: "✓", State.NOT_DONE: "·", State.NOT_GRADED: "?"}


def page(title: str, parts: Iterable[Markup]) -> str:
    return str(_PAGE.format(title=title, style=_STYLE, body=Markup("\n").join(parts)))


def feedback(sheet: Sheet) -> str:
    """What one student reads: the points, then for each answer that is not right, why."""
    title = f"{sheet.student.name or sheet.student.id}: {total(sheet.marks, '?')} of {sheet.points} points"
    parts = [Markup("<h1>{}</h1>").format(title)]
    parts += [Markup('<p class="soft">{}.</p>').format(note[:1].upper() + note[1:]) for note in sheet.notes]
    if not sheet.handed_in:
        parts.append(Markup("<p>Nothing was handed in.</p>"))
        return page(title, parts)
    for chapter, group in groupby(sheet.marks, key=lambda mark: mark.verdict.exercise.partition(".")[0]):
        marks = list(group)
        earned = total(marks, "?")
        points = sum(mark.verdict.points for mark in marks)
        parts.append(Markup("<h2>{}: {} of {} points</h2>").format(chapter, earned, points))
        parts.append(_overview(chapter, marks))
        parts += [_explained(mark) for mark in marks if not mark.verdict.right or mark.by_hand is not None]
    return page(title, parts)


def _table(label: str, heads: Sequence[str], numbers: Sequence[str], rows: Iterable[Markup]) -> Markup:
    """A table with these words above its columns; those among `numbers` stand on the right."""
    head, number = Markup('<th scope="col">{}</th>'), Markup('<th scope="col" class="number">{}</th>')
    cells = Markup("").join((number if text in numbers else head).format(text) for text in heads)
    return _TABLE.format(label, Markup("<tr>{}</tr>").format(cells), Markup("").join(rows))


def _overview(chapter: str, marks: Sequence[Mark]) -> Markup:
    row = Markup(
        '<tr><td class="{look}">{sign}</td><td><code>{function}</code></td><td>{state}</td>'
        '<td class="number">{earned} of {points}</td></tr>'
    )
    rows = [
        row.format(
            look="right" if m.verdict.right else "soft" if m.verdict.state is State.NOT_DONE else "wrong",
            sign=_SIGN.get(m.verdict.state, "✗"),
            function=m.verdict.exercise.partition(".")[2],
            state=m.verdict.state.value,
            earned=total([m], "?"),
            points=m.verdict.points,
        )
        for m in marks
    ]
    heads = ("sign", "exercise", "result", "points")
    return _table(f"The exercises of {chapter}", heads, ("points",), rows)


def _explained(mark: Mark) -> Markup:
    verdict = mark.verdict
    chapter, _, function = verdict.exercise.partition(".")
    parts = [Markup("<h3><code>{}</code>: {}</h3>").format(function, verdict.state.value)]
    if mark.by_hand is not None:
        text = f"{plain(mark.by_hand)} points were given by hand. {mark.reason}".strip()
        parts.append(Markup("<p>{}</p>").format(text))
    if not verdict.right:
        if verdict.misconception:
            parts.append(Markup('<p class="mistake">{}</p>').format(verdict.misconception))
        for line in verdict.message.split("\n"):
            parts.append(Markup("<p>{}</p>").format(line))
        if verdict.call:
            code = _CODE.format(f"{verdict.exercise}, the cell", verdict.call)
            parts.append(Markup('<p class="soft">The cell</p>{}').format(code))
        sides = [("yours", "wrong", verdict.got), ("expected", "right", verdict.expected)]
        shown = [
            Markup('<div><p class="{}">{}</p>{}</div>').format(
                look, label, _CODE.format(f"{verdict.exercise}, {label}", text)
            )
            for label, look, text in sides
            if text
        ]
        if shown:
            parts.append(Markup('<div class="sides">{}</div>').format(Markup("").join(shown)))
        parts.append(
            Markup(
                '<p class="soft">{}. To read: book/{}.md. A hint: <code>nexttoken hint {}</code></p>'
            ).format(verdict.where, chapter, verdict.exercise)
        )
    return Markup('<section aria-label="{}">{}</section>').format(verdict.exercise, Markup("\n").join(parts))


def class_page(group: Class, sheets: Sequence[Sheet], link: dict[str, str]) -> str:
    """What the teacher reads: how many passed what, which mistakes are common, who is missing."""
    graded = [sheet for sheet in sheets if sheet.handed_in and not sheet.open]
    parts = [Markup("<h1>The class</h1>")]
    points = [sheet.earned for sheet in graded]
    if points:
        middle = plain(sorted(points)[len(points) // 2])
        text = f"{len(graded)} submissions; the median is {middle} of {graded[0].points} points."
        parts.append(Markup("<p>{}</p>").format(text))
        parts.append(Markup("<h2>How many passed</h2>"))
        parts.append(passed_plot(graded))
        parts.append(_passed_table(graded))
        parts.append(Markup("<h2>The most common mistakes</h2>"))
        parts.append(_mistakes(graded))
    parts += _lists(group)
    parts.append(Markup("<h2>Everybody</h2>"))
    row = Markup('<tr><td><a href="{}">{}</a></td><td>{}</td><td class="number">{}</td><td>{}</td></tr>')
    rows = [
        row.format(
            link[s.student.id],
            s.student.name or s.student.id,
            s.student.id,
            total(s.marks, "?"),
            "; ".join(s.notes),
        )
        for s in sheets
    ]
    parts.append(_table("Everybody's points", ("name", "id", "points", "notes"), ("points",), rows))
    return page("The class", parts)


def _columns(graded: Sequence[Sheet]) -> list[tuple[str, list[Mark]]]:
    names = [mark.verdict.exercise for mark in graded[0].marks]
    return [(name, [sheet.marks[number] for sheet in graded]) for number, name in enumerate(names)]


def passed_plot(graded: Sequence[Sheet]) -> Markup:
    """A bar for each exercise: how many passed, tried in vain, and did not try; as SVG within the page."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    columns = _columns(graded)
    figure = Figure(figsize=(9, 0.8 + 0.24 * len(columns)))
    axes = figure.add_subplot()
    right = [sum(mark.verdict.right for mark in marks) for _, marks in columns]
    blank = [sum(mark.verdict.state is State.NOT_DONE for mark in marks) for _, marks in columns]
    wrong = [len(graded) - r - b for r, b in zip(right, blank, strict=True)]
    places = range(len(columns))
    axes.barh(places, right, color="#2f7d4f", label="passed")
    axes.barh(places, wrong, left=right, color="#c0503c", hatch="//", edgecolor="white", label="wrong")
    both = [r + w for r, w in zip(right, wrong, strict=True)]
    axes.barh(places, blank, left=both, color="#d9d9e0", label="not done")
    axes.set_yticks(places, [name for name, _ in columns], fontsize=8)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xlim(0, max(len(graded), 1))
    axes.set_xlabel("students")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    text = StringIO()
    FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    drawing = text.getvalue()
    # What is drawn is said in words by the table below it.
    label = 'role="img" aria-label="Bars: how many students passed each exercise. The table below has the numbers."'
    return Markup(drawing[drawing.index("<svg") :].replace("<svg", f"<svg {label}", 1))


def _passed_table(graded: Sequence[Sheet]) -> Markup:
    row = Markup("<tr><td>{}</td>" + '<td class="number">{}</td>' * 3 + "</tr>")
    rows = []
    for name, marks in _columns(graded):
        right = sum(mark.verdict.right for mark in marks)
        blank = sum(mark.verdict.state is State.NOT_DONE for mark in marks)
        rows.append(row.format(name, right, len(marks) - right - blank, blank))
    counts = ("passed", "wrong", "not done")
    return _table("How many passed each exercise", ("exercise", *counts), counts, rows)


def _mistakes(graded: Sequence[Sheet]) -> Markup:
    marks = [mark.verdict for sheet in graded for mark in sheet.marks if mark.verdict.misconception]
    counted = Counter((v.exercise, v.misconception.removeprefix(ONE_OF_SEVERAL)) for v in marks)
    if not counted:
        return Markup("<p>None that the course knows.</p>")
    item = Markup("<li><strong>{}</strong> in <code>{}</code>: {}</li>")
    items = [
        item.format(times, name, sentence) for (name, sentence), times in counted.most_common(MOST_COMMON)
    ]
    return Markup("<ul>{}</ul>").format(Markup("").join(items))


def _lists(group: Class) -> list[Markup]:
    parts = []
    for heading, names in (
        ("Missing", [s.name or s.id for s in group.missing]),
        ("Handed in more than once", [f"{s.name or s.id}: {', '.join(names)}" for s, names in group.double]),
        ("Not on the roster", [s.name or s.id for s in group.strangers]),
    ):
        if names:
            items = Markup("").join(Markup("<li>{}</li>").format(name) for name in names)
            parts.append(Markup("<h2>{}</h2><ul>{}</ul>").format(heading, items))
    return parts
