// The figure "type a text": needs tokeniser.js, and the merges that the page carries as JSON.
"use strict";

(function () {
  const figure = document.getElementById("live-tokeniser");
  const data = document.getElementById("tokeniser-merges");
  if (!figure || !data) return;
  const { encode, piece, size } = tokeniser(JSON.parse(data.textContent));
  const [input, slider] = [figure.querySelector("textarea"), figure.querySelector("input[type=range]")];
  const [number, list, count] = ["output", "ol", "[role=status]"].map((s) => figure.querySelector(s));

  function draw() {
    const ids = encode(input.value, Number(slider.value));
    const bytes = new TextEncoder().encode(input.value).length;
    const rate = ids.length ? `: ${(bytes / ids.length).toFixed(2)} bytes a token` : "";
    number.textContent = slider.value;
    count.textContent =
      `${[...input.value].length} characters, ${bytes} bytes, ${ids.length} tokens${rate}`;
    list.replaceChildren(
      ...ids.map((id) => {
        const [item, text, small] = ["li", "span", "small"].map((tag) => document.createElement(tag));
        text.textContent = piece(id);
        text.className = text.textContent.length > 2 && /^<[0-9A-F ]+>$/.test(text.textContent) ? "bytes" : "";
        small.textContent = id;
        item.append(text, small);
        return item;
      }),
    );
  }

  slider.max = size; // before the value, which it limits
  slider.value = size;
  input.addEventListener("input", draw);
  slider.addEventListener("input", draw);
  for (const button of figure.querySelectorAll("button"))
    button.addEventListener("click", () => {
      input.value = button.dataset.text;
      draw();
    });
  figure.hidden = false;
  draw();
})();
