"""The book's figures: one call each, the same bytes at every build.

Colours are Okabe and Ito's, which stay apart for colour-blind eyes; nothing is told by colour alone.
"""

from collections.abc import Mapping, Sequence
from io import StringIO

import matplotlib
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

INK, QUIET = "#222222", "#6b6b6b"
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
MARKED = [(BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (PINK, "D", ":")]


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
    """Lines over a common x, with single `points` (x, y) and vertical `ranges` (x, low, high) from elsewhere."""
    figure = Figure(figsize=(6.4, 4.0))
    axes = figure.subplots()
    for (label, (at, low, high)), colour in zip((ranges or {}).items(), (QUIET, PINK), strict=False):
        axes.vlines(at, low, high, color=colour, alpha=0.35, linewidth=9, label=label)
    for (label, y), (colour, marker, style) in zip(lines.items(), MARKED, strict=False):
        axes.plot(x, y, color=colour, marker=marker, linestyle=style, label=label)
    for label, (at, y) in (points or {}).items():
        axes.plot(
            at, y, color=INK, marker="x", markersize=9, markeredgewidth=2, linestyle="none", label=label
        )
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
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
