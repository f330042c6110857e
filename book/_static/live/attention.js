// The attention-only model of the chapter on queries, keys and values: the same steps as in
// src/nexttoken/lab/induction.py, for the page and, tested against torch, for Node.
"use strict";

const product = (a, b) =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, number, i) => sum + number * b[i][j], 0)));

function softmax(scores) {
  const powers = scores.map((score) => Math.exp(score - Math.max(...scores)));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

// The pair (2i, 2i + 1) of the vector at place t turns by t / base^(2i / d).
function turned(vectors, base) {
  return vectors.map((vector, t) =>
    vector.map((number, i) => {
      const angle = t * base ** (-(i - (i % 2)) / vector.length);
      const partner = i % 2 ? vector[i - 1] : -vector[i + 1];
      return number * Math.cos(angle) + partner * Math.sin(angle);
    }),
  );
}

function attentionModel({ embedding, unembedding, layers, heads, base }) {
  const part = (vectors, head) => {
    const size = vectors[0].length / heads;
    return vectors.map((vector) => vector.slice(head * size, (head + 1) * size));
  };

  // maps[layer][head][t][j]: how much token t looks at token j <= t; chances[t]: of every word to come next.
  return function run(ids) {
    let x = ids.map((id) => embedding[id]);
    const maps = layers.map(({ w_query, w_key, w_value, w_out }) => {
      const [q, k, v] = [w_query, w_key, w_value].map((w) => product(x, w));
      const merged = ids.map(() => []);
      const ofHeads = Array.from({ length: heads }, (_, head) => {
        const [asks, answers] = [q, k].map((all) => turned(part(all, head), base));
        const [size, tells] = [asks[0].length, part(v, head)];
        const weights = asks.map((query, t) =>
          softmax(
            answers.slice(0, t + 1).map((key) => query.reduce((s, n, i) => s + n * key[i], 0) / Math.sqrt(size)),
          ),
        );
        weights.forEach((row, t) => merged[t].push(...product([row], tells.slice(0, t + 1))[0]));
        return weights;
      });
      const brought = product(merged, w_out);
      x = x.map((vector, t) => vector.map((number, i) => number + brought[t][i]));
      return ofHeads;
    });
    return { maps, chances: product(x, unembedding).map(softmax) };
  };
}

if (typeof module !== "undefined") module.exports = { attentionModel };
