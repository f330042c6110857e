// The figure "what an answer costs": needs costs.js, and the models that the page carries as JSON.
"use strict";

(function () {
  const figure = document.getElementById("live-costs");
  const data = document.getElementById("costs");
  if (!figure || !data) return;
  const carried = JSON.parse(data.textContent);
  const settings = { ...carried.settings };
  const names = carried.models.map((model) => model.name);
  const words = (count) => `${count.toLocaleString("en-GB")} ${count === 1 ? "token" : "tokens"}`;
  const dollars = (amount) => `$${threeDigits(amount)}`;
  const percent = (share) => `${share} %`;

  // [setting, label, how it reads, the stops of the slider, or from, to and step]
  const groups = [
    ["Told everything in its prompt", [
      ["prompted", "Model", String, names],
      ["prompt", "Prompt", words, 10, 1900, 10],
      ["cached", "Of it kept from before (cached)", percent, 0, 100, 5],
    ]],
    ["Tuned, so that its prompt is short", [
      ["tuned", "Model", String, names],
      ["short", "Prompt", words, 10, 1900, 10],
      ["training", "Fine-tuning, people’s work included", dollars, carried.trainings],
    ]],
    ["The answer, and the machine", [
      ["answer", "Answer", words, 1, 300, 1],
      ["per_hour", "An hour of the machine", dollars, 0.5, 10, 0.5],
      ["utilisation", "Of its peak that is reached", percent, 1, 60, 1],
    ]],
  ];

  function element(tag, attributes = {}, ...content) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...content);
    return made;
  }

  function control([setting, label, read, ...range]) {
    const stops = Array.isArray(range[0]) ? range[0] : null;
    const [min, max, step] = stops ? [0, stops.length - 1, 1] : range;
    const id = `costs-${setting}`;
    const slider = element("input", { id, type: "range", min, max, step });
    slider.value = stops ? stops.indexOf(settings[setting]) : settings[setting];
    const output = element("output", { for: id });
    const say = () => {
      output.textContent = read(settings[setting]);
      slider.setAttribute("aria-valuetext", output.textContent);
    };
    slider.addEventListener("input", () => {
      settings[setting] = stops ? stops[Number(slider.value)] : Number(slider.value);
      say();
      draw();
    });
    say();
    return element("div", { class: "control" }, element("label", { for: id }, label), output, slider);
  }

  const head = ["an answer", "FLOPs", "seconds", "$ for 1,000"];
  const body = element("tbody");
  const status = element("p", { role: "status" });

  function row(name, cost) {
    const cells = [cost.flops, cost.seconds, 1000 * cost.price];
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      ...cells.map((number) => element("td", { "data-value": number }, threeDigits(number))),
    );
  }

  function sentence(found) {
    const said = [];
    for (const [way, name] of [["prompted", settings.prompted], ["tuned", settings.tuned]])
      if (!found[way].fits) {
        const { context } = carried.models.find((model) => model.name === name);
        said.push(`${words(found[way].tokens)} are more than ${name} can read (${words(context)}).`);
      }
    if (found.breakEven === Infinity) said.push("An answer of the tuned model is not cheaper: it never pays.");
    else if (found.breakEven === 0) said.push("The tuned model costs nothing to train: it pays at once.");
    else said.push(`The tuned model has paid for its training after ${threeDigits(found.breakEven)} answers.`);
    return said.join(" ");
  }

  function draw() {
    const found = compareCosts(carried, settings);
    body.replaceChildren(
      row(`Prompted: ${settings.prompted}`, found.prompted),
      row(`Tuned: ${settings.tuned}`, found.tuned),
    );
    status.textContent = sentence(found);
    status.dataset.value = found.breakEven;
    price.textContent = `10¹⁵ FLOPs cost $${threeDigits(found.price)} here.`;
  }

  const price = element("p", { class: "price" });
  const table = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
    body,
  );
  figure.replaceChildren(
    element(
      "div",
      { class: "groups" },
      ...groups.map(([title, controls]) =>
        element("fieldset", {}, element("legend", {}, title), ...controls.map(control)),
      ),
    ),
    element("div", { class: "scroll", role: "region", "aria-label": "Costs", tabindex: 0 }, table),
    status,
    price,
    element(
      "figcaption",
      {},
      "The FLOPs are those of the exercise; the shapes of the models are published. What an hour costs and how much " +
        "of the peak of 312 · 10¹² FLOPs a second is reached are assumptions. How good the answers are is another question.",
    ),
  );
  figure.hidden = false;
  draw();
})();
