// What the figures of the chapter on reinforcement learning compute; drawn by reinforcement_view.js.
"use strict";

// The mean of each `width` numbers on end.
function smoothed(numbers, width) {
  const found = [];
  for (let i = 0; i + width <= numbers.length; i++) {
    found.push(numbers.slice(i, i + width).reduce((sum, x) => sum + x, 0) / width);
  }
  return found;
}

// The smallest and the largest of many lines' numbers.
function reach(lines) {
  const all = lines.flat();
  return [Math.min(...all), Math.max(...all)];
}

// A line as the path of an SVG: its numbers from left to right, `low` at the bottom and `high` at the top.
function path(numbers, [low, high], width, height) {
  const place = (number, i) => {
    const x = (width * i) / (numbers.length - 1);
    const y = height * (1 - (number - low) / (high - low));
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  };
  return `M${numbers.map(place).join("L")}`;
}

// What the gold judge found, the best first: "+3 right rule", "−1 said again".
function findings(found) {
  return Object.entries(found)
    .map(([what, [times, worth]]) => [times * worth, times > 1 ? `${what} (${times} times)` : what])
    .sort(([a], [b]) => b - a)
    .map(([points, what]) => `${signed(points)} ${what}`);
}

function signed(number) {
  const digits = String(Math.round(Math.abs(number) * 100) / 100);
  return `${number < 0 ? "−" : "+"}${digits}`;
}

if (typeof module !== "undefined") module.exports = { smoothed, reach, path, findings, signed };
