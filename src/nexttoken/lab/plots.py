"""The book's figures: one call each, the same bytes at every build.

Colours are Okabe and Ito's, which stay apart for colour-blind eyes; nothing is told by colour alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import TypeVar

import matplotlib
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

INK, QUIET = "#222222", "#6b6b6b"
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
MARKED: list[tuple[str, str, str | tuple[int, tuple[int, ...]]]] = [  # colour, marker, line
    (BLUE, "o", "-"),
    (ORANGE, "s", "--"),
    (GREEN, "^", "-."),
    (PINK, "D", ":"),
    (INK, "v", (0, (6, 2))),
]
POINTS = MARKED[3::-1]  # for single points beside lines: from the other end, and not black
Series = TypeVar("Series")
Style = TypeVar("Style")


def _styled(series: Iterable[Series], styles: Sequence[Style]) -> Iterator[tuple[Series, Style]]:
    """Each series with a style of its own; ValueError where there are more of them than styles."""
    series = list(series)
    return zip(series, styles[: len(series)], strict=True)


class Picture:
    """A figure that a notebook shows as SVG: sharp at every size, and equal whenever it is drawn."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def _repr_svg_(self) -> str:
        text = StringIO()
        with matplotlib.rc_context({"svg.hashsalt": "nexttoken"}):
            self.figure.savefig(
                text, format="svg", facecolor="white", bbox_inches="tight", metadata={"Date": None}
            )
        return text.getvalue()


def heat_map(
    values: Float[Tensor, "rows columns"],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    across: str,
    down: str,
) -> Picture:
    """A table as colours, with its numbers written in: `down` names the rows, `across` the columns."""
    figure = Figure(figsize=(1.4 + 0.55 * len(columns), 1.0 + 0.45 * len(rows)))
    axes = figure.subplots()
    top = values.max().item() or 1.0
    axes.imshow(values.numpy(), cmap="Blues", vmin=0, vmax=1.3 * top, aspect="auto")
    for i, row in enumerate(values.tolist()):
        for j, value in enumerate(row):
            axes.text(
                j, i, f"{value:.3g}".lstrip("0") or "0", ha="center", va="center", color=INK, fontsize=9
            )
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    _plain(axes, across, down)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return Picture(figure)


def bars(labels: Sequence[str], panels: Mapping[str, Float[Tensor, " labels"]]) -> Picture:
    """One small bar chart for each panel, side by side on one scale; what is exactly 0 gets a cross."""
    figure = Figure(figsize=(0.9 + 1.6 * len(panels), 0.8 + 0.3 * len(labels)))
    tops = torch.stack(list(panels.values()))
    for axes, (title, heights) in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True
    ):
        axes.barh(range(len(labels)), heights.tolist(), color=BLUE, height=0.7)
        for i, height in enumerate(heights.tolist()):
            text, colour = (f"{height:.2f}", INK) if height > 0 else ("×", ORANGE)
            axes.text(height + 0.02 * tops.max().item(), i, text, va="center", color=colour, fontsize=10)
        axes.set_title(title, fontsize=11, color=INK)
        axes.set_xlim(0, 1.4 * tops.max().item())
        axes.set_xticks([])
        _plain(axes)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    figure.tight_layout()
    return Picture(figure)


def curves(
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    *,
    across: str,
    up: str,
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    ranges: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]] | None = None,
) -> Picture:
    """Lines over a common x, with single `points` (x, y) and vertical `ranges` (x, low, high) from elsewhere.

    The y axis begins at 0, or goes below it where something does.
    """
    figure = Figure(figsize=(6.4, 4.0))
    axes = figure.subplots()
    for (label, (at, low, high)), colour in _styled((ranges or {}).items(), (QUIET, PINK)):
        axes.vlines(at, low, high, color=colour, alpha=0.35, linewidth=9, label=label)
    for (label, y), (colour, marker, style) in _styled(lines.items(), MARKED):
        axes.plot(x, y, color=colour, marker=marker, linestyle=style, label=label)
    for label, (at, y) in (points or {}).items():
        axes.plot(
            at, y, color=INK, marker="x", markersize=9, markeredgewidth=2, linestyle="none", label=label
        )
    if min(min(y) for y in lines.values()) < 0:
        axes.axhline(0, color=QUIET, linewidth=0.8)
    else:
        axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=QUIET, alpha=0.25)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    _plain(axes, across, up)
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(figure)


def power_law(
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    across: str,
    up: str,
) -> Picture:
    """Points and lines, each with its own (x, y), on paper where a power of x is a straight line."""
    figure = Figure(figsize=(6.4, 4.0))
    axes = figure.subplots()
    for (label, (x, y)), (colour, marker, _) in _styled(points.items(), MARKED):
        axes.plot(x, y, color=colour, marker=marker, linestyle="none", label=label)
    for (label, (x, y)), style in _styled(lines.items(), ("-", "--", ":")):
        axes.plot(x, y, color=QUIET, linestyle=style, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter("{x:.1f}")
    axes.yaxis.set_minor_formatter("")
    axes.grid(axis="y", color=QUIET, alpha=0.25)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    _plain(axes, across, up)
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(figure)


def _plain(axes: Axes, across: str = "", up: str = "") -> None:
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    axes.tick_params(colors=INK)
    axes.spines[:].set_color(QUIET)


def measured(
    series: Mapping[str, Sequence[tuple[float, float, float, float]]],
    *,
    across: str,
    up: str,
    doubling: bool = False,
    diagonal: bool = False,
    line: tuple[str, float] | None = None,
) -> Picture:
    """Points with their intervals, (x, low, value, high), each series joined by a line.

    With `doubling` equal factors of x are equally wide; with `diagonal` a thin line says where y is x, and
    with `line` another one where y has a value that has a name.
    """
    figure = Figure(figsize=(6.4, 4.0))
    axes = figure.subplots()
    if diagonal:
        axes.axline((0.5, 0.5), slope=1, color=QUIET, linewidth=1, linestyle=":")
    if line is not None:
        axes.axhline(line[1], color=QUIET, linewidth=1, linestyle=":")
        axes.annotate(
            line[0], (0, line[1]), (4, 3), axes.get_yaxis_transform(), textcoords="offset points", color=INK
        )
    for (label, points), (colour, marker, style) in _styled(series.items(), MARKED):
        x, low, middle, high = zip(*points, strict=True)
        axes.vlines(x, low, high, color=colour, linewidth=2, alpha=0.6)
        axes.plot(x, middle, color=colour, marker=marker, linestyle=style, label=label)
    if doubling:
        axes.set_xscale("log", base=2)
        places = sorted({x for points in series.values() for x, *_ in points})
        axes.set_xticks(places, [f"{place:g}" for place in places])
        axes.minorticks_off()
    axes.grid(axis="y", color=QUIET, alpha=0.25)
    if any(series):
        axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    _plain(axes, across, up)
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(figure)


def marked_rows(rows: Mapping[str, Mapping[str, tuple[float, float, float]]], *, across: str) -> Picture:
    """A row for each name, and in it a mark with its interval (low, value, high) for each series."""
    figure = Figure(figsize=(6.4, 0.9 + 0.42 * len(rows)))
    axes = figure.subplots()
    series = list(next(iter(rows.values())))
    for number, (label, (colour, marker, _)) in enumerate(_styled(series, MARKED)):
        places = [row + 0.22 * (number - (len(series) - 1) / 2) for row in range(len(rows))]
        low, middle, high = zip(*(marks[label] for marks in rows.values()), strict=True)
        axes.hlines(places, low, high, color=colour, linewidth=2, alpha=0.6)
        axes.plot(middle, places, color=colour, marker=marker, linestyle="none", label=label)
    axes.axvline(0, color=QUIET, linewidth=0.8)
    for row in range(len(rows) - 1):
        axes.axhline(row + 0.5, color=QUIET, linewidth=0.4, alpha=0.4)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.grid(axis="x", color=QUIET, alpha=0.25)
    figure.legend(frameon=False, fontsize=9, labelcolor=INK, ncols=len(series), loc="upper center")
    _plain(axes, across)
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(figure)


def histograms(groups: Mapping[str, Float[Tensor, " values"]], *, across: str, bins: int = 30) -> Picture:
    """How often each value occurs, the groups over each other: one filled, the next as outlines."""
    figure = Figure(figsize=(6.4, 3.6))
    axes = figure.subplots()
    together = torch.cat(list(groups.values()))
    edges = torch.linspace(together.min().item(), together.max().item(), bins + 1).tolist()
    for number, ((label, values), (colour, _, style)) in enumerate(_styled(groups.items(), MARKED)):
        form = {"histtype": "stepfilled", "alpha": 0.35} if number == 0 else {"histtype": "step"}
        axes.hist(
            values.tolist(), bins=edges, color=colour, linestyle=style, linewidth=2, label=label, **form
        )
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    _plain(axes, across, "how many")
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(figure)


def attention_map(
    weights: Float[Tensor, "queries keys"] | Mapping[str, Float[Tensor, "queries keys"]],
    queries: Sequence[str],
    keys: Sequence[str] | None = None,
    *,
    across: str = "is asked",
    down: str = "asks",
) -> Picture:
    """Who looks at whom: one row for each token that asks, darker where its weight is larger.

    Several maps, by their titles, stand side by side. What is exactly 0 gets a cross.
    """
    panels = weights if isinstance(weights, Mapping) else {"": weights}
    keys = queries if keys is None else keys
    wide, high = 0.42 * len(keys), 0.38 * len(queries)
    figure = Figure(figsize=(1.5 + (wide + 0.6) * len(panels), 1.6 + high))
    for number, (axes, (title, panel)) in enumerate(
        zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True)
    ):
        axes.imshow(panel.detach().numpy(), cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
        for i, row in enumerate(panel.tolist()):
            for j, weight in enumerate(row):
                text, colour = _weight(weight)
                axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=8)
        axes.set_xticks(range(len(keys)), keys, rotation=90 if max(map(len, keys)) > 2 else 0)
        axes.set_yticks(range(len(queries)), queries if number == 0 else [""] * len(queries))
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        _plain(axes, across, down if number == 0 else "")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(title, fontsize=11, color=INK, y=-0.02, va="top")
    figure.tight_layout()
    return Picture(figure)


def _weight(weight: float) -> tuple[str, str]:
    """What is written into a field, and in which colour: ".67", a cross for none, nothing for next to none."""
    if weight == 0:
        return "×", ORANGE
    return (f"{weight:.2f}".removeprefix("0") if weight >= 0.005 else ""), INK


def stripes(table: Float[Tensor, "rows columns"], *, across: str, down: str) -> Picture:
    """A table of numbers between -1 and 1 as two colours, white at 0, with a scale beside it."""
    figure = Figure(figsize=(6.4, 4.0))
    axes = figure.subplots()
    image = axes.imshow(table.numpy(), cmap="PuOr", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    figure.colorbar(image, ax=axes, ticks=[-1, 0, 1]).ax.tick_params(colors=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _plain(axes, across, down)
    return Picture(figure)


def word_map(points: Float[Tensor, "words 2"], groups: Mapping[str, Sequence[str]]) -> Picture:
    """Words in the plane, each group with its colour and its mark; labels make room for each other.

    The points are in the order of the groups' words.
    """
    figure = Figure(figsize=(6.8, 5.2))
    axes = figure.subplots()
    left, right = points[:, 0].min().item(), points[:, 0].max().item()
    low, high = points[:, 1].min().item(), points[:, 1].max().item()
    axes.set_xlim(left - 0.2 * (right - left), right + 0.22 * (right - left))
    axes.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
    colours: dict[str, str] = {}
    named = dict(zip((w for words in groups.values() for w in words), points.tolist(), strict=True))
    for (group, words), (colour, marker, _) in _styled(groups.items(), MARKED):
        axes.plot(
            *zip(*(named[word] for word in words), strict=True),
            color=colour,
            marker=marker,
            linestyle="none",
            label=group,
        )
        colours |= dict.fromkeys(words, colour)
    line, gap = 0.036 * (high - low), 0.015 * (right - left)
    # From where to where, and at which height, something stands: the marks, and then the labels.
    taken = [(x - 0.8 * gap, x + 0.8 * gap, y) for x, y in named.values()]
    for word, (x, y) in sorted(named.items(), key=lambda item: -item[1][1]):
        width = 0.021 * (len(word) + 0.5) * (right - left)
        begin, height = next(
            (begin, height)
            for far in range(100)
            for height in (y - far * line, y + far * line)
            for begin in (x + gap, x - gap - width)
            if not any(a < begin + width and begin < b and abs(t - height) < 0.99 * line for a, b, t in taken)
        )
        taken.append((begin, begin + width, height))
        on_the_left = begin < x
        axes.annotate(
            word,
            (x, y),
            (begin + width if on_the_left else begin, height),
            ha="right" if on_the_left else "left",
            va="center",
            color=colours[word],
            fontsize=10,
            arrowprops={"arrowstyle": "-", "color": colours[word], "linewidth": 0.5} if height != y else None,
        )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, loc="best")
    _plain(axes, "first principal component", "second")
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(figure)


def dots(panels: Mapping[str, Float[Tensor, "points 2"]], labels: Sequence[str]) -> Picture:
    """Labelled points in several planes side by side, all to one scale; points at one place share a dot."""
    figure = Figure(figsize=(3.2 * len(panels), 3.4))
    reach = 0.7 * max((points.amax(0) - points.amin(0)).max().item() for points in panels.values()) or 1.0
    for axes, (title, points) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0],
        panels.items(),
        strict=True,
    ):
        together: dict[tuple[float, ...], list[str]] = {}
        for label, place in zip(labels, points.tolist(), strict=True):
            together.setdefault(tuple(round(c, 6) for c in place), []).append(label)
        for (x, y), names in together.items():
            axes.plot(x, y, color=BLUE if len(names) == 1 else ORANGE, marker="o" if len(names) == 1 else "s")
            text = names[0] if len(names) == 1 else f"all {len(names)}"
            axes.annotate(
                text, (x, y), (0, 6), textcoords="offset points", ha="center", color=INK, fontsize=9
            )
        axes.set_title(title, fontsize=11, color=INK)
        across, up = ((points.amax(0) + points.amin(0)) / 2).tolist()
        axes.set_xlim(across - reach, across + reach)
        axes.set_ylim(up - reach, up + reach)
        axes.set_xticks([])
        axes.set_yticks([])
        _plain(axes)
    figure.tight_layout()
    return Picture(figure)


def head_maps(maps: Float[Tensor, "layers heads time time"], tokens: Sequence[str]) -> Picture:
    """Who looks at whom, in every head: a row of squares for each layer, darker where the weight is larger."""
    layers, heads = maps.shape[:2]
    figure = Figure(figsize=(0.6 + 3.1 * heads, 0.5 + 3.3 * layers))
    for layer, row in enumerate(figure.subplots(layers, heads, squeeze=False)):
        for head, axes in enumerate(row):
            axes.imshow(maps[layer, head].numpy(), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
            axes.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=8)
            axes.set_yticks(range(len(tokens)), tokens if head == 0 else [""] * len(tokens), fontsize=8)
            _plain(axes, "is asked" if layer == layers - 1 else "", "asks" if head == 0 else "")
            axes.tick_params(length=0)
            axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=11, color=INK)
    figure.tight_layout()
    return Picture(figure)


Line = tuple[Sequence[float], Sequence[float]]


def curve_panels(
    panels: Mapping[str, Mapping[str, Line]],
    *,
    across: str,
    up: str,
    marks: Mapping[str, Mapping[str, Line]] | None = None,
) -> Picture:
    """Lines, each over an x of its own, in panels side by side on one scale; `marks` are single points."""
    figure = Figure(figsize=({1: 6.4, 2: 7.6}.get(len(panels), 0.9 + 2.6 * len(panels)), 3.8))
    for number, (axes, (title, lines)) in enumerate(
        zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True)
    ):
        for (label, (x, y)), (colour, _, style) in _styled(lines.items(), MARKED):
            axes.plot(x, y, color=colour, linestyle=style, linewidth=1.8, label=label)
        for (label, (x, y)), (colour, marker, _) in _styled((marks or {}).get(title, {}).items(), POINTS):
            axes.plot(x, y, color=colour, marker=marker, linestyle="none", label=label)
        axes.set_title(title, fontsize=11, color=INK)
        axes.grid(axis="y", color=QUIET, alpha=0.25)
        axes.legend(frameon=False, fontsize=9, labelcolor=INK)
        _plain(axes, across, up if number == 0 else "")
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return Picture(figure)
