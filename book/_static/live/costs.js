// What an answer costs, as in the exercises `cost_per_answer` and `break_even`: for the page and, tested against
// Python, for Node.
"use strict";

// The t-th token takes 2 N + 4 L d t FLOPs; all from `cached` + 1 to the last but one are read.
function flopsPerAnswer(prompt, answer, { parameters, layers, d_model }, cached = 0) {
  const last = prompt + answer - 1;
  const places = (last * (last + 1) - cached * (cached + 1)) / 2; // the sum of all t
  return 2 * parameters * (last - cached) + 4 * layers * d_model * places;
}

function breakEven(training, long, short) {
  if (training === 0) return 0;
  return long > short ? Math.ceil(training / (long - short)) : Infinity;
}

// What nexttoken.lab.costs.compare computes, from the same settings.
function compareCosts({ models, peak }, settings) {
  const named = (name) => models.find((model) => model.name === name);
  const speed = peak * (settings.utilisation / 100);
  const price = (settings.per_hour / 3600 / speed) * 1e15;
  const cost = (model, prompt, cached) => {
    const flops = flopsPerAnswer(prompt, settings.answer, model, cached);
    const tokens = prompt + settings.answer;
    return { tokens, flops, price: (price * flops) / 1e15, seconds: flops / speed, fits: tokens <= model.context };
  };
  const cached = Math.floor((settings.prompt * settings.cached) / 100);
  const prompted = cost(named(settings.prompted), settings.prompt, cached);
  const tuned = cost(named(settings.tuned), settings.short, 0);
  return { prompted, tuned, price, breakEven: breakEven(settings.training, prompted.price, tuned.price) };
}

// Three digits that count: 1,234,567 is 1,230,000, and 3.52e14 is 3.52 × 10¹⁴.
function threeDigits(number) {
  if (number === Infinity) return "∞";
  if (number >= 1e9 || (number > 0 && number < 1e-4)) {
    const [digits, power] = number.toExponential(2).split("e");
    const raised = [...String(Number(power))].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]));
    return `${digits} × 10${raised.join("")}`;
  }
  return Number(number.toPrecision(3)).toLocaleString("en-GB", { maximumFractionDigits: 7 });
}

if (typeof module !== "undefined") module.exports = { flopsPerAnswer, breakEven, compareCosts, threeDigits };
