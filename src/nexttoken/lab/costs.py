"""What an answer costs: the exercises' arithmetic on the shapes of published models.

The shapes are facts, with their sources. The machine is an assumption: `Machine` says which, and anything
about it can be changed. Nothing here says how good an answer is: see the experiment of the chapter.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

from nexttoken.applications import Cost, break_even, cost_per_answer
from nexttoken.lab import tables
from nexttoken.lab.for_the_page import Carried
from nexttoken.transformer import parameter_count, training_flops

WORDS_OF_GPT = 50_257  # tokens that GPT-2 and GPT-3 know


@dataclass(frozen=True)
class Model:
    """The published shape of a model: Radford et al. 2019, table 2; Brown et al. 2020, table 2.1."""

    name: str
    layers: int
    d_model: int
    context: int  # tokens that it can read at most

    @property
    def parameters(self) -> int:
        """By the exercise of the chapter on the transformer."""
        return parameter_count(WORDS_OF_GPT, self.context, self.d_model, self.layers)


MODELS = (
    Model("GPT-2 small", 12, 768, 1024),
    Model("GPT-2 medium", 24, 1024, 1024),
    Model("GPT-2 large", 36, 1280, 1024),
    Model("GPT-2 XL", 48, 1600, 1024),
    Model("GPT-3 2.7B", 32, 2560, 2048),
    Model("GPT-3 6.7B", 32, 4096, 2048),
    Model("GPT-3 175B", 96, 12_288, 2048),
)


def model(name: str) -> Model:
    """The model of that name.

    Raises
    ------
    KeyError
        If there is none.
    """
    return {one.name: one for one in MODELS}[name]


@dataclass(frozen=True)
class Machine:
    """A computer that is paid by the hour. `peak` is from NVIDIA's data sheet of the A100; the rest is assumed."""

    per_hour: float = 2.0  # dollars: ask who lends it
    peak: float = 312e12  # FLOPs a second, with numbers of 16 bits
    utilisation: float = (
        0.3  # share of the peak that is reached: many answers at once; far less for one alone
    )

    @property
    def speed(self) -> float:
        """FLOPs a second that come out."""
        return self.peak * self.utilisation

    @property
    def price(self) -> float:
        """Of 10^15 FLOPs, in dollars.

        >>> round(Machine(per_hour=3.6, peak=1e15, utilisation=0.5).price, 6)
        0.002
        """
        return self.per_hour / 3600 / self.speed * 1e15


MACHINE = Machine()


def answer(of: Model, prompt: int, written: int, on: Machine = MACHINE, cached: int = 0) -> Cost:
    """What one answer of this model costs on this machine."""
    return cost_per_answer(prompt, written, of.parameters, of.layers, of.d_model, on.price, cached)


def tuning(
    of: Model, tokens: int, on: Machine = MACHINE, demonstrations: int = 0, each: float = 0.0
) -> float:
    """The price of fine-tuning on so many tokens, and of people who write demonstrations at so much each."""
    return training_flops(of.parameters, tokens) * on.price / 1e15 + demonstrations * each


def print_answers(prompt: int, written: int, on: Machine = MACHINE, cached: int = 0) -> None:
    """For every model: FLOPs, seconds and price of an answer."""
    rows: list[list[tables.Cell]] = [["model", "parameters", "FLOPs", "seconds", "dollars per 1,000 answers"]]
    for one in MODELS:
        cost = answer(one, prompt, written, on, cached)
        rows.append(
            [
                one.name,
                f"{one.parameters:,}",
                f"{cost.flops:.2e}",
                f"{cost.flops / on.speed:.4f}",
                f"{1000 * cost.price:.4f}",
            ]
        )
    tables.table(rows)


@dataclass(frozen=True)
class Settings:
    """The sliders of the figure: a model that is told everything in its prompt, and one that was tuned."""

    prompted: str = "GPT-3 175B"
    prompt: int = 1500  # tokens
    cached: int = 0  # per cent of the prompt that were read for an earlier answer
    answer: int = 100
    tuned: str = "GPT-2 XL"
    short: int = 50  # tokens of the tuned model's prompt
    training: float = 1000.0  # dollars, people's work included
    per_hour: float = MACHINE.per_hour
    utilisation: int = round(100 * MACHINE.utilisation)  # per cent

    @property
    def machine(self) -> Machine:
        """What is computed on."""
        return Machine(self.per_hour, MACHINE.peak, self.utilisation / 100)


@dataclass(frozen=True)
class Comparison:
    """What the figure shows."""

    prompted: Cost
    tuned: Cost
    seconds: tuple[float, float]
    break_even: float  # answers


def compare(settings: Settings) -> Comparison:
    """The two ways, and after how many answers the tuned model has paid for its training."""
    s, machine = settings, settings.machine
    prompted = answer(model(s.prompted), s.prompt, s.answer, machine, s.prompt * s.cached // 100)
    tuned = answer(model(s.tuned), s.short, s.answer, machine)
    seconds = prompted.flops / machine.speed, tuned.flops / machine.speed
    return Comparison(prompted, tuned, seconds, break_even(s.training, prompted.price, tuned.price))


def print_break_even(settings: Settings | None = None) -> None:
    """For every model that could be tuned: its price, and after how many answers it has paid for its training."""
    settings = settings or Settings()
    long = compare(settings).prompted.price
    rows: list[list[tables.Cell]] = [["tuned", "dollars per 1,000 answers", "times cheaper", "pays after"]]
    for one in MODELS:
        found = compare(replace(settings, tuned=one.name))
        after = "never" if found.break_even == float("inf") else f"{found.break_even:,.0f} answers"
        rows.append([one.name, f"{1000 * found.tuned.price:.4f}", f"{long / found.tuned.price:,.1f}", after])
    tables.table(rows)


TRAINING_PRICES = (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)  # where the slider stops


class ForThePage(Carried):
    """The models and the first settings, for `book/_static/live/costs.js`."""

    def __init__(self, settings: Settings | None = None) -> None:
        content: dict[str, Any] = {
            "models": [asdict(one) | {"parameters": one.parameters} for one in MODELS],
            "peak": MACHINE.peak,
            "trainings": TRAINING_PRICES,
            "settings": asdict(settings or Settings()),
        }
        super().__init__("costs", content, "models and prices")
