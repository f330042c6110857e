// The figure "who looks at whom": needs attention.js, and the model that the page carries as JSON.
"use strict";

(function () {
  const figure = document.getElementById("live-attention");
  const data = document.getElementById("attention-model");
  if (!figure || !data) return;
  const about = JSON.parse(data.textContent);
  const run = attentionModel(about);
  const [choice, line, heads, status] = ["select", "[role=radiogroup]", ".heads", "[role=status]"].map((s) =>
    figure.querySelector(s),
  );
  let words, maps, chances, buttons;
  const percent = (share) => `${Math.round(100 * share)} %`;

  function element(tag, text, className) {
    const made = document.createElement(tag);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  // One row of tokens for each head: the darker, the more of the asker's weight it has.
  function look(t) {
    const strongest = [];
    buttons.forEach((button, i) => {
      button.setAttribute("aria-checked", i === t);
      button.tabIndex = i === t ? 0 : -1;
    });
    heads.replaceChildren(
      ...maps.flatMap((ofLayer, layer) =>
        ofLayer.map((weights, head) => {
          const name = `Layer ${layer + 1}, head ${head + 1}`;
          const row = element("div", "", "head");
          const best = weights[t].indexOf(Math.max(...weights[t]));
          strongest.push(`${name}: ${words[best]}, place ${best + 1}, ${percent(weights[t][best])}`);
          row.append(element("p", name, "name"));
          row.append(
            ...words.map((word, j) => {
              const share = weights[t][j] ?? 0;
              const token = element("span", word, j > t ? "future" : j === t ? "asks" : "");
              token.style.setProperty("--share", share);
              if (share >= 0.1) token.append(element("small", percent(share)));
              return token;
            }),
          );
          return row;
        }),
      ),
    );
    const guess = chances[t].indexOf(Math.max(...chances[t]));
    status.textContent =
      `“${words[t]}” at place ${t + 1} looks at: ${strongest.join("; ")}. ` +
      `The model's guess of what comes next: “${about.words[guess]}”, ${percent(chances[t][guess])}.`;
  }

  function read() {
    words = about.examples[choice.value].split(" ");
    ({ maps, chances } = run(words.map((word) => about.words.indexOf(word))));
    buttons = words.map((word, t) => {
      const button = element("button", word);
      button.type = "button";
      for (const event of ["focus", "mouseenter", "click"]) button.addEventListener(event, () => look(t));
      button.setAttribute("role", "radio");
      return button;
    });
    line.replaceChildren(...buttons);
    look(Math.min(words.length - 1, 12));
  }

  line.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const now = buttons.indexOf(document.activeElement);
    buttons[(now + step + buttons.length) % buttons.length].focus();
  });
  about.examples.forEach((text, number) => {
    const option = element("option", `${text.split(" ").slice(0, 4).join(" ")} ...`);
    option.value = number;
    choice.append(option);
  });
  choice.addEventListener("change", read);
  figure.hidden = false;
  read();
})();
