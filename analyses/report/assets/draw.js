"use strict";
// Draws one sentence: arcs, brackets, words, matrix. The pictures are those of analyses.arcs_svg and brackets_svg.
const drawSentence = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const BLUE = "#3a86c8", ORANGE = "#c9660c";
  const STEP = 14, FIRST = 20, CORNER = 7, SPACE = 16, LINE = 20, SIDE = 4, LEVEL = 26, LONGEST = 180;
  const PREDICTED = "predicted arc";
  const STROKES = {
    right: [BLUE, ""],
    wrong: [ORANGE, "6 3"],
    "gold arc that was missed": ["currentColor", "1.5 3"],
  };
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "14px system-ui, sans-serif";

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function shape(name, attributes = {}, ...children) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function scrolling(label, child) {
    return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, child);
  }

  function picture(title, description, width, height, parts) {
    const size = { width, height, viewBox: `0 0 ${width} ${height}` };
    const style = { role: "img", fill: "currentColor", "font-family": "system-ui,sans-serif", "font-size": "14" };
    const said = [shape("title", {}, title), shape("desc", {}, description)];
    const drawn = shape("svg", { ...size, ...style }, ...said, ...parts);
    return element("figure", {}, element("figcaption", {}, title), scrolling(title, drawn));
  }

  const widthOf = (text) => pen.measureText(text).width;

  /** A word as a label: a long one would leave no room for the others, and is cut between its letters. */
  function fitted(word) {
    if (widthOf(word) <= LONGEST) return word;
    const letters = [...new Intl.Segmenter().segment(word.slice(0, 200))].map(({ segment }) => segment);
    while (letters.length && widthOf(`${letters.join("")}…`) > LONGEST) letters.pop();
    return `${letters.join("")}…`;
  }

  function centresOf(words) {
    const centres = [];
    let x = SPACE;
    for (const word of words) {
      const width = Math.max(widthOf(fitted(word)), 16);
      centres.push(Math.round(x + width / 2));
      x += width + SPACE;
    }
    return [centres, Math.ceil(Math.max(x, 60))];
  }

  function wordAt(word, x, y) {
    const label = fitted(word), whole = label === word ? [] : [shape("title", {}, word)];
    return shape("text", { x, y, "text-anchor": "middle" }, ...whole, label);
  }

  // --- dependencies: an arc is [head, dependent], from 1, head 0 is ROOT

  const arcsOf = (heads) => heads.map((head, place) => [head, place + 1]).filter(([head]) => head >= 0);

  function levelsOf(arcs) {
    const levels = new Map();
    const taken = [];
    const length = ([head, dependent]) => Math.abs(head - dependent);
    const low = (arc) => Math.min(...arc), high = (arc) => Math.max(...arc);
    for (const arc of [...arcs].sort((a, b) => length(a) - length(b) || low(a) - low(b))) {
      if (arc[0] === 0) {
        levels.set(arc, 0);
        continue;
      }
      const under = taken.filter((other) => low(other) < high(arc) && low(arc) < high(other));
      levels.set(arc, 1 + Math.max(0, ...under.map((other) => levels.get(other))));
      taken.push(arc);
    }
    return levels;
  }

  const heightOf = (levels) => FIRST + STEP * Math.max(0, ...levels.values());

  function drawArc([head, dependent], level, kind, words, centres, edge, sign, top) {
    const [colour, dash] = STROKES[kind] ?? STROKES.right;
    const end = centres[dependent - 1];
    const group = shape("g", { stroke: colour, fill: colour });
    group.append(shape("title", {}, `${head ? words[head - 1] : "ROOT"} → ${words[dependent - 1]}: ${kind}`));
    let path = `M${end} ${edge + sign * top}V${edge + sign * 6}`;
    if (head) {
      const side = dependent > head ? 1 : -1;
      const start = centres[head - 1] + SIDE * side;
      const line = edge + sign * (FIRST + STEP * (level - 1));
      const inner = line - sign * CORNER;
      path =
        `M${start} ${edge}V${inner}Q${start} ${line} ${start + CORNER * side} ${line}` +
        `H${end - CORNER * side}Q${end} ${line} ${end} ${inner}V${edge + sign * 6}`;
    }
    group.append(shape("path", { d: path, fill: "none", "stroke-width": 1.6, "stroke-dasharray": dash }));
    group.append(shape("path", { d: `M${end - 4} ${edge + sign * 7}h8L${end} ${edge}z`, stroke: "none" }));
    if (head) return [group];
    const label = { x: end, y: edge + sign * (top + 3) + (sign < 0 ? 0 : 9), "text-anchor": "middle", "font-size": 11 };
    return [group, shape("text", label, "root")];
  }

  function legend(y) {
    return Object.entries(STROKES).flatMap(([kind, [colour, dash]], place) => {
      const x = 8 + 95 * place;
      const line = { d: `M${x} ${y - 4}h28`, stroke: colour, "stroke-width": 1.6, "stroke-dasharray": dash };
      const text = kind.startsWith("gold") ? "missed gold arc" : kind;
      return [shape("path", line), shape("text", { x: x + 34, y, "font-size": 12 }, text)];
    });
  }

  const called = (method) => (method.name ? `method ${method.name}, ` : "");

  function drawArcs(record, method, protocol) {
    const { words, gold } = record, heads = method.heads[protocol];
    const [centres, width] = centresOf(words);
    const above = levelsOf(arcsOf(heads));
    const below = levelsOf(arcsOf(gold ?? []).filter(([head, dependent]) => heads[dependent - 1] !== head));
    const base = heightOf(above) + LINE, bottom = base + LINE + 6;
    const parts = words.map((word, place) => wordAt(word, centres[place], base + 16));
    for (const [arc, level] of above) {
      const kind = !gold ? PREDICTED : gold[arc[1] - 1] === arc[0] ? "right" : "wrong";
      parts.push(...drawArc(arc, level, kind, words, centres, base, -1, heightOf(above)));
    }
    for (const [arc, level] of below) {
      parts.push(...drawArc(arc, level, "gold arc that was missed", words, centres, bottom, 1, heightOf(below)));
    }
    const height = bottom + (below.size ? heightOf(below) + LINE : 0);
    const said = "The heads are in the table of the words.";
    const name = `Arcs, ${called(method)}protocol ${protocol}`;
    if (!gold) return picture(name, said, width, height, parts);
    parts.push(...legend(height + 14));
    const scored = record.scored[protocol];
    const right = heads.filter((head, place) => scored[place] && head === gold[place]).length;
    const total = scored.filter(Boolean).length;
    return picture(`${name}: ${right} of ${total} right`, said, Math.max(width, 330), height + LINE, parts);
  }

  function head(words, place) {
    return [element("bdi", {}, place > 0 ? words[place - 1] : place ? "none" : "ROOT"), ` (${place})`];
  }

  function wordTable(record) {
    const { words, gold, methods } = record;
    const columns = protocolsOf(record).flatMap((protocol) => methods.map((method) => [method, protocol]));
    const text = (...children) => element("td", { class: "text" }, ...children);
    const rows = words.map((word, place) => {
      const found = columns.map(([method, protocol]) => {
        const own = method.heads[protocol][place];
        if (!gold) return text(...head(words, own));
        if (!record.scored[protocol][place]) return text(...head(words, own), " not scored");
        const kind = own === gold[place] ? "right" : "wrong";
        const sign = kind === "right" ? "✓ " : "✗ ";
        return element("td", { class: `text ${kind}` }, sign, ...head(words, own), ` ${kind}`);
      });
      const name = element("th", { scope: "row" }, element("bdi", {}, word));
      const row = [element("td", {}, String(place + 1)), name, ...found];
      if (!gold) return row;
      const about = [text(record.relations?.[place] ?? ""), text(record.tags?.[place] ?? "")];
      return [...row, text(...head(words, gold[place])), ...about];
    });
    const heads = columns.map(([method, protocol]) => (method.name ? `head, ${method.name}, ${protocol}` : `head, ${protocol}`));
    const names = ["#", "word", ...heads, ...(gold ? ["gold head", "relation", "tag"] : [])];
    return table("Word by word", names, rows);
  }

  function table(caption, columns, rows) {
    const headers = columns.map((name) => element("th", { scope: "col", class: "text" }, name));
    const made = element(
      "table",
      { class: "words-table" },
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...headers)),
      element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells))),
    );
    return scrolling(caption, made);
  }

  // --- constituents: a span is [start, end], from 0, the end exclusive

  function drawBrackets(record, method) {
    const words = record.kept ? record.kept.map((place) => record.words[place]) : record.words;
    const [centres, width] = centresOf(words);
    const nodes = new Map(centres.map((x, place) => [`${place} ${place + 1}`, { x, height: 0 }]));
    const found = record.gold_spans && new Set(record.gold_spans.map(([start, end]) => `${start} ${end}`));
    found?.add(`0 ${words.length}`);
    const order = [...method.spans].sort((a, b) => a[1] - a[0] - (b[1] - b[0]));
    for (const [start, end] of order) {
      let middle = start + 1;
      while (!nodes.has(`${start} ${middle}`) || !nodes.has(`${middle} ${end}`)) middle += 1;
      const below = [nodes.get(`${start} ${middle}`), nodes.get(`${middle} ${end}`)];
      const height = 1 + Math.max(below[0].height, below[1].height);
      nodes.set(`${start} ${end}`, { x: Math.round((below[0].x + below[1].x) / 2), height, below, start, end });
    }
    const base = nodes.get(`0 ${words.length}`).height * LEVEL + LINE;
    const parts = words.map((word, place) => wordAt(word, centres[place], base + 16));
    for (const node of nodes.values()) if (node.below) parts.push(bracket(node, words, base, found));
    const what = found ? ": a filled circle is a bracket of the gold tree" : "";
    const said = method.spans.map(([start, end]) => `[${words.slice(start, end).join(" ")}]`).join(" ");
    return picture(`Brackets, ${called(method)}decoder ${record.decoder}${what}`, said, width, base + LINE + 6, parts);
  }

  function bracket(node, words, base, found) {
    const right = !found || found.has(`${node.start} ${node.end}`);
    const colour = right ? BLUE : ORANGE;
    const y = base - node.height * LEVEL;
    const lines = node.below.map((part) => `M${node.x} ${y}H${part.x}V${base - part.height * LEVEL}`).join("");
    const verdict = found ? (right ? ": right" : ": not in the gold tree") : "";
    return shape(
      "g",
      { stroke: colour, "stroke-width": 1.6 },
      shape("title", {}, words.slice(node.start, node.end).join(" ") + verdict),
      shape("path", { d: lines, fill: "none", "stroke-dasharray": right ? "" : "5 3" }),
      shape("circle", { cx: node.x, cy: y, r: 4, fill: right ? colour : "none" }),
    );
  }

  function spanTable(record) {
    const own = record.methods.map((method) => new Set(method.spans.map(([start, end]) => `${start} ${end}`)));
    const rows = record.gold_spans.map(([start, end, label]) => {
      const found = own.map((spans) => spans.has(`${start} ${end}`));
      return [
        element("th", { scope: "row" }, label),
        element("td", { class: "text" }, element("bdi", {}, record.words.slice(start, end).join(" "))),
        ...found.map((is) => element("td", { class: `text ${is ? "right" : "wrong"}` }, is ? "✓ found" : "✗ missed")),
      ];
    });
    const trees = record.methods.map(({ name }) => `in the ${name ? "tree of" : "model's tree"}${name && ` ${name}`}`);
    return table("Gold brackets", ["label", "words", ...trees], rows);
  }

  // --- the matrix: a table whose cells are coloured, a picture to the eye, a table to a screen reader

  function drawHeat({ words }, method) {
    const { largest } = method, n = words.length;
    const heat = Uint8Array.from(atob(method.heat), (letter) => letter.charCodeAt(0));
    const header = (word, scope) => element("th", { scope }, element("span", { dir: "auto", title: word }, word));
    const rows = words.map((word, i) => {
      const cells = words.map((other, j) => {
        const share = heat[i * n + j] / 255;
        const value = i === j ? "–" : (share * largest).toPrecision(2);
        const pair = i === j ? `${word}: the word itself` : `${other} → ${word}: ${value}`;
        const cell = element("td", { tabindex: i || j ? -1 : 0, "data-pair": pair });
        cell.style.setProperty("--v", share.toFixed(3));
        cell.append(element("span", { class: "vh" }, value));
        return cell;
      });
      return element("tr", {}, header(word, "row"), ...cells);
    });
    const title = `Impact matrix (${called(method)}${method.impacts}): how much a column, perturbed, moves a row`;
    const top = element("tr", {}, element("td"), ...words.map((word) => header(word, "col")));
    const body = element("tbody", {}, ...rows);
    const grid = element("table", { class: "heat", role: "grid", "aria-label": title }, element("thead", {}, top), body);
    const pair = element("output", { class: "pair", "aria-live": "off" }, "Point at a cell, or go there by arrow keys.");
    const tell = (event) => {
      const cell = event.target.closest("[data-pair]");
      if (cell) pair.textContent = cell.dataset.pair;
    };
    body.addEventListener("mouseover", tell);
    body.addEventListener("focusin", tell);
    body.addEventListener("keydown", moveInGrid);
    const numbers = element("input", { type: "checkbox" });
    numbers.addEventListener("change", () => grid.classList.toggle("numbers", numbers.checked));
    const label = element("label", { class: "check" }, numbers, "show numbers");
    const scroll = element("div", { class: "scroll" }, grid);
    return element("figure", {}, element("figcaption", {}, title), label, pair, scroll, colourScale(method));
  }

  function colourScale({ largest, scale }) {
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    return element("p", { class: "scale" }, "0 ", bar, ` ${largest.toPrecision(3)} ${scale}`);
  }

  const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  function moveInGrid(event) {
    const cell = event.target.closest("[data-pair]");
    const step = KEYS[event.key];
    if (!step || !cell) return;
    event.preventDefault();
    const row = event.currentTarget.rows[cell.parentElement.sectionRowIndex + step[0]];
    const next = row?.cells[cell.cellIndex + step[1]];
    if (!next?.dataset.pair) return;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  const protocolsOf = (record) => Object.keys(record.methods[0].heads).reverse();
  const beside = (made) => element("div", { class: "beside" }, ...made);

  return (body, record) => {
    const protocols = protocolsOf(record), { methods } = record;
    for (const protocol of protocols) body.append(beside(methods.map((method) => drawArcs(record, method, protocol))));
    if (protocols.length) body.append(wordTable(record));
    // Methods with the same impacts have the same matrix and brackets.
    const unlike = methods.filter((one, place) => methods.findIndex(({ heat }) => heat === one.heat) === place);
    body.append(beside(unlike.map((method) => drawBrackets(record, method))));
    if (!protocols.length) body.append(spanTable(record));
    const matrices = beside(unlike.map((method) => drawHeat(record, method)));
    matrices.classList.add("even");
    body.append(matrices);
  };
})();
