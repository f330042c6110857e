// The GPT of src/nexttoken/models.py, reading one token at a time; for the page and, tested against torch, for Node.
//
//   const { words, models } = gpt.open(JSON.parse(...));  // what nexttoken.lab.for_the_page.Models carries
//   const { read } = models.base.reading();               // a text, still empty
//   const chances = gpt.softmax(read(ids[0]));            // of every word to come after the first one
//
// A page may carry several models, and each may read several texts at once.
"use strict";

const gpt = (function () {
  // Whole numbers times a unit: half the text that decimals would take.
  function unpacked({ unit, base64 }) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return Float32Array.from(new Int16Array(bytes.buffer), (whole) => whole * unit);
  }

  const row = (matrix, number, width) => matrix.subarray(number * width, (number + 1) * width);
  const sum = (a, b) => a.map((number, i) => number + b[i]);

  function dot(a, b) {
    let total = 0;
    for (let i = 0; i < a.length; i++) total += a[i] * b[i];
    return total;
  }

  // x W + b, where the rows of W lie one after the other.
  function linear(x, w, b) {
    const y = Float32Array.from(b);
    for (let i = 0; i < x.length; i++)
      for (let j = 0; j < y.length; j++) y[j] += x[i] * w[i * y.length + j];
    return y;
  }

  function layerNorm(x, gain, bias, eps = 1e-5) {
    const mean = x.reduce((total, number) => total + number, 0) / x.length;
    const variance = x.reduce((total, number) => total + (number - mean) ** 2, 0) / x.length;
    return x.map((number, i) => ((number - mean) / Math.sqrt(variance + eps)) * gain[i] + bias[i]);
  }

  // The error function, wrong by at most 1.5e-7: Abramowitz and Stegun (1964), formula 7.1.26.
  function erf(x) {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
    const tail = series.reduce((total, factor) => (total + factor) * t, 0) * Math.exp(-x * x);
    return Math.sign(x) * (1 - tail);
  }

  const gelu = (x) => x.map((number) => (number * (1 + erf(number / Math.SQRT2))) / 2);

  // At temperature 0 the largest takes all.
  function softmax(logits, temperature = 1) {
    const largest = Math.max(...logits);
    if (temperature === 0) return Float64Array.from(logits, (_, i) => Number(i === logits.indexOf(largest)));
    const powers = Float64Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return powers.map((power) => power / total);
  }

  // Each head asks the keys of all tokens so far, and mixes their values.
  function attend(query, keys, values, heads) {
    const size = query.length / heads;
    const mixed = new Float32Array(query.length);
    for (let head = 0; head < heads; head++) {
      const part = (vector) => row(vector, head, size);
      const scores = keys.map((key) => dot(part(query), part(key)) / Math.sqrt(size));
      softmax(scores).forEach((weight, j) => {
        for (let i = head * size; i < (head + 1) * size; i++) mixed[i] += weight * values[j][i];
      });
    }
    return mixed;
  }

  function model({ layers, heads, context, numbers }, never) {
    const parts = Object.fromEntries(Object.entries(numbers).map(([name, packed]) => [name, unpacked(packed)]));
    const { embedding, positions, "norm.gain": gain, "norm.bias": bias } = parts;
    const width = gain.length;
    const size = embedding.length / width;

    function reading() {
      let place = 0;
      const cache = Array.from({ length: layers }, () => ({ keys: [], values: [] }));

      // Look around, then think: each is added to what was there. The future is not hidden: it is not there yet.
      function block(x, number) {
        const of = (name) => parts[`blocks.${number}.${name}`];
        const norm = (x, name) => layerNorm(x, of(`${name}.gain`), of(`${name}.bias`));
        const map = (x, layer, name) => linear(x, of(`${layer}.w_${name}`), of(`${layer}.b_${name}`));

        const { keys, values } = cache[number];
        const seen = norm(x, "norm_attention");
        keys.push(map(seen, "attention", "key"));
        values.push(map(seen, "attention", "value"));
        const mixed = attend(map(seen, "attention", "query"), keys, values, heads);
        x = sum(x, map(mixed, "attention", "out"));
        const hidden = gelu(map(norm(x, "norm_feed_forward"), "feed_forward", "in"));
        return sum(x, map(hidden, "feed_forward", "out"));
      }

      // The logits of what comes after one more token. Older tokens are not computed again: their keys and
      // values are kept.
      function read(id) {
        if (place === context) throw new RangeError(`this model reads ${context} tokens at most`);
        let x = sum(row(embedding, id, width), row(positions, place, width));
        for (let number = 0; number < layers; number++) x = block(x, number);
        place += 1;
        const state = layerNorm(x, gain, bias);
        const logits = Float32Array.from({ length: size }, (_, word) => dot(state, row(embedding, word, width)));
        for (const word of never) logits[word] = -Infinity;
        return logits;
      }

      return { read };
    }

    return { reading, context };
  }

  // A word by chance: a point between 0 and 1 falls into the stretch of one of them.
  function draw(chances, random = Math.random) {
    let point = random();
    const found = chances.findIndex((chance) => (point -= chance) < 0);
    return found < 0 ? chances.lastIndexOf(Math.max(...chances)) : found; // a sum that is not quite 1
  }

  const bits = (chance) => -Math.log2(chance);
  const entropy = (chances) => chances.reduce((sum, p) => sum + (p > 0 ? p * bits(p) : 0), 0);

  // What a page carries: the words, which of them ends a text, and its models by name.
  function open({ words, end, never, models }) {
    const opened = Object.entries(models).map(([name, packed]) => [name, model(packed, never)]);
    return { words, end, models: Object.fromEntries(opened) };
  }

  return { open, softmax, draw, bits, entropy };
})();

if (typeof module !== "undefined") module.exports = gpt;
