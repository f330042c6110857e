// Byte-pair encoding as in the chapter on embeddings, for the page and, tested against Python, for Node.
"use strict";

const SHOWN = { " ": "␣", "\n": "⏎", "\t": "⇥" };

function tokeniser(merges) {
  const bytesOf = Array.from({ length: 256 }, (_, byte) => [byte]);
  for (const [left, right] of merges) bytesOf.push([...bytesOf[left], ...bytesOf[right]]);

  // The bytes of the text, then merge after merge: from left to right, without overlaps.
  function encode(text, howMany = merges.length) {
    let ids = Array.from(new TextEncoder().encode(text));
    merges.slice(0, howMany).forEach(([left, right], number) => {
      const merged = [];
      for (let at = 0; at < ids.length; at++) {
        const found = ids[at] === left && ids[at + 1] === right;
        merged.push(found ? 256 + number : ids[at]);
        if (found) at++;
      }
      ids = merged;
    });
    return ids;
  }

  // Characters where the bytes of the token are some; else the bytes, in hexadecimal.
  function piece(id) {
    const bytes = bytesOf[id];
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
    const again = new TextEncoder().encode(text);
    const whole = again.length === bytes.length && again.every((byte, i) => byte === bytes[i]);
    if (whole && !/[\p{C}\p{Z}]/u.test(text.replace(/[ \n\t]/g, "")))
      return text.replace(/[ \n\t]/g, (space) => SHOWN[space]);
    return `<${bytes.map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(" ")}>`;
  }

  return { encode, piece, size: merges.length };
}

if (typeof module !== "undefined") module.exports = { tokeniser };
