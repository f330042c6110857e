// The figure "choose the next token yourself": needs gpt.js, and the models that the page carries as JSON.
"use strict";

(function () {
  const figure = document.getElementById("live-gpt");
  const data = document.getElementById("village-models");
  if (!figure || !data) return;
  const { words, end, models } = gpt.open(JSON.parse(data.textContent));
  const [model] = Object.values(models);
  const find = (selector) => figure.querySelector(selector);
  const [example, own, slider, hide] = ["select", "[type=text]", "[type=range]", "[type=checkbox]"].map(find);
  const [one, on, again] = ["one", "on", "again"].map((name) => find(`[data-do=${name}]`));
  const [text, next, rest, status, score] = [".text", ".next", ".rest", "[role=status]", ".score"].map(find);
  const SHOWN = 8;
  const PAUSE = 300; // milliseconds between two tokens
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  let read, logits, length; // of the text so far; no logits where nothing can come next
  let chosen; // by the reader, in this text: how often, how often the most probable one, and bits
  let offered = []; // the ids on the bars
  let timer = null; // while it goes on by itself
  let written = []; // since then

  const percent = (share) => (share >= 0.0005 || share === 0 ? `${(100 * share).toFixed(1)} %` : "< 0.1 %");
  const quoted = (id) => `“${words[id]}”`;
  const largestFirst = () => [...words.keys()].sort((a, b) => logits[b] - logits[a]);
  const temperature = () => Number(slider.value);

  function element(tag, content, className = "") {
    const made = document.createElement(tag);
    made.textContent = content;
    made.className = className;
    return made;
  }

  // The buttons stay the same ones, so that the focus stays where it is.
  const bars = Array.from({ length: SHOWN }, (_, i) => {
    const button = element("button", "");
    button.type = "button";
    button.append(element("span", "", "word"), element("span", "", "bar"), element("span", "", "percent"));
    button.addEventListener("click", () => choose(offered[i]));
    const item = element("li", "");
    item.append(button);
    next.append(item);
    return button;
  });

  // What may come next, the most probable first; in the order of the alphabet where the reader wants to guess.
  function show() {
    find("output").textContent = temperature().toFixed(1);
    one.disabled = on.disabled = !logits;
    next.hidden = rest.hidden = !logits;
    if (!logits) return;
    const chances = gpt.softmax(logits, temperature());
    offered = largestFirst().slice(0, SHOWN);
    const left = offered.reduce((sum, id) => sum - chances[id], 1);
    if (hide.checked) offered.sort((a, b) => (words[a] < words[b] ? -1 : 1));
    bars.forEach((button, i) => {
      const [word, bar, share] = button.children;
      word.textContent = words[offered[i]];
      bar.style.setProperty("--share", hide.checked ? 0 : chances[offered[i]]);
      share.textContent = hide.checked ? "" : percent(chances[offered[i]]);
    });
    const others = `${words.length - 1 - SHOWN} other tokens`; // all but the padding and those shown
    rest.textContent = hide.checked ? `Or one of ${others}.` : `${others} together: ${percent(Math.max(left, 0))}`;
  }

  function keepScore() {
    const { count, best, bits, expected } = chosen;
    score.hidden = count === 0;
    score.textContent =
      `Of ${count} ${count === 1 ? "token" : "tokens"} that you chose, ${best} ${best === 1 ? "was" : "were"} what the ` +
      `model found most probable. Your surprise: ${(bits / count).toFixed(2)} bits a token. The model's own, ` +
      `where it draws by its probabilities: ${(expected / count).toFixed(2)}.`;
  }

  // Put a token at the end of the text, and read it.
  function append(id, className, share) {
    const tile = element("li", words[id], className);
    if (share !== undefined) tile.append(element("small", percent(share)));
    text.append(tile);
    const canGoOn = id !== end && length < model.context;
    logits = canGoOn ? read(id) : null;
    length += 1;
  }

  function whyItEnds() {
    if (logits) return "";
    return text.lastChild.firstChild.textContent === words[end]
      ? " The text has ended."
      : ` This model reads ${model.context} tokens at most.`;
  }

  function write() {
    const chances = gpt.softmax(logits, temperature());
    const id = gpt.draw(chances);
    append(id, "drawn", chances[id]);
    return id;
  }

  function after(report) {
    const focused = document.activeElement;
    show();
    status.textContent = report + whyItEnds();
    // A button that is gone takes the focus with it.
    if (!logits && (focused === one || focused === on || bars.includes(focused))) again.focus();
  }

  function choose(id) {
    pause();
    const chances = gpt.softmax(logits);
    const [best] = largestFirst();
    const bits = (which) => `${gpt.bits(chances[which]).toFixed(2)} bits`;
    const report =
      id === best
        ? `You chose ${quoted(id)}, the most probable token: ${bits(id)}.`
        : `You chose ${quoted(id)}: ${bits(id)}. The most probable was ${quoted(best)}: ${bits(best)}.`;
    chosen.count += 1;
    chosen.best += Number(id === best);
    chosen.bits += gpt.bits(chances[id]);
    chosen.expected += gpt.entropy(chances);
    append(id, "yours", gpt.softmax(logits, temperature())[id]);
    keepScore();
    after(report);
  }

  // Token after token, until the text ends or the reader stops it; at once where motion is unwelcome.
  function goOn() {
    if (timer !== null) {
      report();
      return;
    }
    written = [];
    if (calm.matches) {
      while (logits) written.push(write());
      report();
      return;
    }
    on.textContent = "Pause";
    status.textContent = "";
    timer = setInterval(step, PAUSE);
    step();
  }

  function step() {
    written.push(write());
    if (logits) show();
    else report();
  }

  // Said once, at the end: a reader of the screen would not get through word by word.
  function report() {
    pause();
    after(`Written: “${written.map((id) => words[id]).join(" ")}”.`);
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    on.textContent = "Go on";
  }

  // The words of the beginning; a capital letter or a comma that touches its word is no obstacle.
  function beginning() {
    const spaced = own.value.toLowerCase().replace(/[,.:?]/g, " $& ");
    return spaced.split(/\s+/).filter((word) => word);
  }

  function whatIsWrong(tokens) {
    const unknown = tokens.filter((word) => words.indexOf(word) < 1); // 0 is the padding
    if (!tokens.length) return "Begin with at least one word.";
    if (unknown.length) return `The village does not know ${unknown.map((word) => `“${word}”`).join(", ")}.`;
    if (tokens.includes(words[end])) return `${words[end]} ends a text: nothing comes after it.`;
    if (tokens.length > model.context) return `A beginning has at most ${model.context} tokens here.`;
    return "";
  }

  function start() {
    pause();
    const tokens = beginning();
    const wrong = whatIsWrong(tokens);
    own.setAttribute("aria-invalid", wrong !== "");
    if (wrong) own.setAttribute("aria-describedby", status.id);
    else own.removeAttribute("aria-describedby");
    ({ read } = model.reading());
    [logits, length] = [null, 0];
    chosen = { count: 0, best: 0, bits: 0, expected: 0 };
    text.replaceChildren();
    if (!wrong) for (const word of tokens) append(words.indexOf(word), "begun");
    keepScore();
    show();
    status.textContent = wrong;
  }

  example.addEventListener("change", () => {
    own.value = example.value;
    start();
  });
  own.addEventListener("change", () => {
    const known = [...example.options].findIndex((option) => option.value === own.value);
    example.selectedIndex = known < 0 ? example.options.length - 1 : known;
    start();
  });
  slider.addEventListener("input", show);
  hide.addEventListener("change", show);
  one.addEventListener("click", () => {
    pause();
    after(`Written: ${quoted(write())}.`);
  });
  on.addEventListener("click", goOn);
  again.addEventListener("click", start);
  find(".words").textContent = words.slice(1).join(" ");
  own.value = example.value;
  figure.hidden = false;
  start();
})();
