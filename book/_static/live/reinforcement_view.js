// Two figures of the chapter on reinforcement learning: needs reinforcement.js, and data that the page carries.
"use strict";

(function () {
  const SVG = "http://www.w3.org/2000/svg";
  const number = (x, digits = 2) => x.toFixed(digits).replace("-", "−");

  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function carried(name) {
    const data = document.getElementById(name);
    return data && JSON.parse(data.textContent);
  }

  // An answer with its points, and what the judge found.
  function card(title, answer) {
    const made = element("div", "", "answer");
    const head = element("p", title, "name");
    head.append(element("span", `gold ${number(answer.gold, 1)}`, "points"));
    made.append(head, element("blockquote", answer.text || "(nothing)"));
    made.append(element("p", findings(answer.found).join(" · "), "findings"));
    return made;
  }

  // --- the same question, answered by four models ---

  const questions = document.getElementById("live-questions");
  const said = carried("rl-questions");
  if (questions && said) {
    const choice = questions.querySelector("select");
    const place = questions.querySelector(".answers");
    const show = () =>
      place.replaceChildren(
        ...Object.entries(said.answers).map(([model, answers]) => card(model, answers[choice.value])),
      );
    said.questions.forEach((question, i) => {
      const option = element("option", question);
      option.value = i;
      choice.append(option);
    });
    choice.addEventListener("change", show);
    questions.hidden = false;
    show();
  }

  // --- the price of the distance, through stored runs ---

  const prices = document.getElementById("live-prices");
  const stored = carried("rl-prices");
  if (prices && stored) {
    const [slider, output, plots, status, place] = ["input", "output", ".plots", "[role=status]", ".answers"].map(
      (s) => prices.querySelector(s),
    );
    const [wide, high, left] = [280, 130, 34];
    const panels = [
      ["gold", "gold judge: points"],
      ["proxy", "the judge that pays: standard deviations"],
    ];

    function drawn(tag, attributes, text) {
      const made = document.createElementNS(SVG, tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      if (text) made.textContent = text;
      return made;
    }

    function panel([what, title], chosen) {
      const lines = stored.runs.map((run) => smoothed(run.run[what], stored.width));
      const between = reach(lines);
      const picture = drawn("svg", { viewBox: `0 0 ${wide + left + 8} ${high + 52}`, "aria-hidden": true });
      picture.append(drawn("text", { x: 0, y: 14 }, title));
      const area = drawn("g", { transform: `translate(${left} 24)` });
      const [low, top] = between;
      for (const at of [low, (low + top) / 2, top]) {
        const y = high * (1 - (at - low) / (top - low));
        area.append(drawn("line", { x1: 0, x2: wide, y1: y, y2: y, class: "grid" }));
        area.append(drawn("text", { x: -4, y: y + 4, "text-anchor": "end" }, number(at, 1)));
      }
      lines.forEach((line, i) => {
        if (i !== chosen) area.append(drawn("path", { d: path(line, between, wide, high) }));
      });
      area.append(drawn("path", { d: path(lines[chosen], between, wide, high), class: "chosen" }));
      const iterations = `${stored.runs[chosen].run[what].length} iterations`;
      area.append(drawn("text", { x: wide, y: high + 18, "text-anchor": "end" }, iterations));
      picture.append(area);
      return picture;
    }

    function slide() {
      const chosen = Number(slider.value);
      const run = stored.runs[chosen];
      output.textContent = `β = ${run.price}`;
      slider.setAttribute("aria-valuetext", output.textContent);
      plots.replaceChildren(...panels.map((each) => panel(each, chosen)));
      status.textContent =
        `At the end: ${number(run.kl, 1)} nats from SFT. The judge that pays says ${number(run.proxy)}, ` +
        `gold says ${number(run.gold)} (SFT: ${number(stored.sft)}). ` +
        `Better than SFT in ${Math.round(100 * run["win over sft"])} % of the cases.`;
      place.replaceChildren(...run.answers.map((answer, i) => card(stored.questions[i], answer)));
    }

    slider.max = stored.runs.length - 1;
    slider.value = stored.start;
    slider.addEventListener("input", slide);
    prices.hidden = false;
    slide();
  }
})();
