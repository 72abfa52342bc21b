// The explorer's page. What is shown is what the address says: a link restores the view.
//
// The query string holds the sentence and the options of the first view; "second" holds the options of a view
// beside it, and "since" the former view that the first one is compared with, each a query string in itself.

const $ = (selector, within = document) => within.querySelector(selector);
const SETTINGS = ["layer", "metric", "pool", "perturb", "adjust", "decoder", "brackets", "adjust_brackets"]; // a method's
const OPTIONS = ["model", "method", ...SETTINGS];
const FILES = ["matrix.safetensors", "matrix.csv", "tree.conllu", "arcs.svg", "heatmap.svg", "brackets.svg"];
const LABELS = { perturb: "perturbation", adjust: "adjustment", brackets: "constituents", adjust_brackets: "their adjustment" };
const CELL_HINT = matchMedia("(pointer: coarse)").matches
  ? "Tap a cell."
  : "Point at a cell, or go to it with Tab and the arrow keys.";

let methods = {}; // the settings of each, by name
let running = null; // AbortController of the views being fetched
let shown = { query: null, since: null }; // of the first view, as last shown

// ---- Options and the address

function addSelects(fieldset, { models, choices }) {
  const values = { ...choices, model: models.map((model) => model.name) };
  const more = document.createElement("details");
  more.append(document.createElement("summary"), document.createElement("div"));
  $("summary", more).textContent = "Settings of the method";
  for (const name of OPTIONS) {
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.name = name;
    label.append(LABELS[name] ?? name, select);
    (SETTINGS.includes(name) ? $("div", more) : fieldset).append(label);
    fill(select, values[name]);
  }
  fieldset.append(more);
  const model = $("[name=model]", fieldset);
  const layers = () => {
    const { layers: last } = models.find((one) => one.name === model.value);
    const select = $("[name=layer]", fieldset);
    const kept = select.value;
    fill(select, ["best", "-1", ...Array.from({ length: last + 1 }, (_, layer) => String(layer))]);
    select.options[1].text = "last";
    choose(select, kept);
  };
  layers();
  model.addEventListener("change", layers);
  $("[name=method]", fieldset).addEventListener("change", () => usePreset(fieldset));
  usePreset(fieldset);
}

/** Sets the settings to those of the chosen method. */
function usePreset(fieldset) {
  const preset = methods[$("[name=method]", fieldset).value];
  for (const name of SETTINGS) choose($(`[name=${name}]`, fieldset), String(preset[name]));
}

function fill(select, values) {
  select.replaceChildren(...values.map((value) => new Option(value, value)));
}

/** Selects a value if there is one of this name, else the first; returns whether there is one. */
function choose(select, value) {
  select.value = value;
  const found = select.selectedIndex >= 0;
  if (!found) select.selectedIndex = 0;
  return found;
}

/** The model, a method that is not the first, and the settings that are not those of the method. */
function chosen(fieldset) {
  const select = (name) => $(`[name=${name}]`, fieldset);
  const preset = methods[select("method").value];
  const isDefault = (name) => (name === "method" ? !select(name).selectedIndex : select(name).value === String(preset[name]));
  return OPTIONS.filter((name) => !isDefault(name)).map((name) => [name, select(name).value]);
}

/** How the words are found, which is common to both panels. */
const words = () => ($("#spaces").checked ? [["words", "spaces"]] : []);

/**
 * Sets the selects to what a query string says; a layer counted from the end is shown from the start.
 * Returns what it says that there is not: another view than the one asked for must not look like it.
 */
function restore(fieldset, query) {
  const lacking = [];
  const select = (name) => $(`[name=${name}]`, fieldset);
  const set = (name, value) => choose(select(name), value) || lacking.push(`${name} ${value}`);
  choose(select("model"), null);
  choose(select("method"), null);
  for (const name of ["model", "method"]) {
    if (query.has(name)) set(name, query.get(name));
    select(name).dispatchEvent(new Event("change")); // the layers are those of the model, the settings of the method
  }
  const last = select("layer").options.length - 3;
  for (const name of SETTINGS) {
    if (!query.has(name)) continue;
    const value = query.get(name);
    // Adjustments combine in more ways than are listed; the server knows which.
    if (name.startsWith("adjust") && ![...select(name).options].some((one) => one.value === value)) {
      select(name).append(new Option(value, value));
    }
    set(name, name === "layer" && value < -1 ? String(Number(value) + last + 1) : value);
  }
  return lacking;
}

/** Sets the form to what the address says; returns the former view, and what is asked for and not there. */
function readAddress() {
  const address = new URLSearchParams(location.search);
  $("#text").value = address.get("text") ?? "";
  $("#spaces").checked = address.get("words") === "spaces";
  const lacking = restore($("#first"), address);
  const second = address.get("second");
  $("#beside").checked = second !== null;
  $("#second").hidden = second === null;
  if (second !== null) lacking.push(...restore($("#second"), new URLSearchParams(second)));
  return { since: address.get("since"), lacking };
}

/** What the page opens with: an example, by each of the first two methods. */
function openExample(example) {
  const [first, second] = Object.keys(methods);
  $("#text").value = example;
  for (const [fieldset, method] of [[$("#first"), first], [$("#second"), second ?? first]]) {
    choose($("[name=method]", fieldset), method);
    usePreset(fieldset);
  }
  $("#beside").checked = true;
  $("#second").hidden = false;
}

// ---- Asking the server

/** Shows what the form says, compared with the view `since`; `remember` makes it an entry of the history. */
async function show(since, { remember }) {
  running?.abort();
  const text = $("#text").value.replace(/\s*[\r\n]+\s*/g, " ").trim();
  if (!text) {
    fail("a sentence is expected, found no text");
    return $("#text").focus();
  }
  const control = (running = new AbortController());
  const first = new URLSearchParams([["text", text], ...words(), ...chosen($("#first"))]);
  // The same view again, say beside another one, stays compared with what it was compared with.
  if (since === String(first)) since = since === shown.query ? shown.since : null;
  const asked = [{ query: first, since }];
  const address = new URLSearchParams(first);
  if (since) address.set("since", since);
  if ($("#beside").checked) {
    const options = chosen($("#second"));
    address.set("second", new URLSearchParams(options));
    asked.push({ query: new URLSearchParams([["text", text], ...words(), ...options]), since: String(first), beside: true });
  }
  if (remember) history.pushState(null, "", `?${address}`);
  busy(true);
  $("#error").hidden = true;
  for (const view of document.querySelectorAll(".view")) view.classList.add("stale");
  try {
    const found = [];
    for (const one of asked) found.push(await ask(one, control.signal).catch((error) => named(error, one)));
    $("#views").replaceChildren(...found.map((view, index) => draw(view, asked[index])));
    for (const section of document.querySelectorAll(".view")) markChanges(section);
    shown = { query: String(first), since };
    $("#link").href = `?${address}`;
    $("#link").hidden = false;
    $("#status").textContent = "";
    document.title = `${text} · Perturbed-probe explorer`;
  } catch (error) {
    if (running !== control) return; // another request has taken its place
    const stopped = error.name === "AbortError";
    $("#status").textContent = stopped ? "stopped" : "";
    // A fetch that reaches nobody ends in a TypeError.
    if (!stopped) fail(error instanceof TypeError ? "The explorer does not answer: is it still running?" : error.message);
  } finally {
    if (running === control) {
      running = null;
      busy(false);
    }
  }
}

async function ask({ query, since }, signal) {
  const all = new URLSearchParams(query);
  if (since) all.set("since", since);
  const response = await fetch(`view?${all}`, { signal });
  if (!response.ok) {
    const reason = await response.json().catch(() => ({ error: `the server answered ${response.status}` }));
    throw new Error(reason.error);
  }
  for await (const line of lines(response.body)) {
    if (line.error) throw new Error(line.error);
    if (line.view) return line.view;
    $("#progress").max = line.passes;
    $("#progress").value = line.done;
    $("#progress").hidden = false;
    $("#status").textContent = line.done ? `${line.done} of ${line.passes} forward passes` : "waiting";
  }
  throw new Error("the server stopped in the middle of its answer");
}

/** Throws the error again; that of the second panel says so. */
function named(error, { beside }) {
  if (beside && error.constructor === Error) error.message = `the second panel: ${error.message}`;
  throw error;
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

function busy(now) {
  $("#stop").disabled = !now;
  $("main").setAttribute("aria-busy", String(now));
  if (!now) $("#progress").hidden = true;
}

function fail(message) {
  $("#error").textContent = message;
  $("#error").hidden = false;
}

// ---- Drawing a view; all text goes in as text, pictures come escaped from the server

function draw(view, { query, since, beside }) {
  const section = $("#one").content.cloneNode(true).firstElementChild;
  const { model, layer, metric, pool, perturb, adjust, decoder, brackets, adjust_brackets } = view.settings;
  const changed = view.changed.map((name) => LABELS[name] ?? name).join(", ");
  $("h2", section).textContent = `${view.method}${changed && ` with another ${changed}`}`;
  $(".settings", section).textContent =
    `${model}, layer ${layer}, ${metric}, ${pool}, ${perturb}; tree: ${adjust}, ${decoder}; ` +
    `constituents: ${adjust_brackets}, ${brackets}`;
  $(".adjusted", section).hidden = adjust === "none";
  $(".notes", section).textContent = view.notes.join(" ");
  $(".notes", section).hidden = beside || !view.notes.length;
  $(".arcs", section).innerHTML = view.pictures.arcs;
  $(".brackets", section).innerHTML = view.pictures.brackets;
  $("code", section).textContent = view.command;
  $(".copy", section).addEventListener("click", (event) => copy(event.target, $("code", section)));
  for (const index of view.unknown) {
    labelsOf(section)[index].classList.add("unknown");
  }
  for (const name of FILES) {
    const link = document.createElement("a");
    link.href = `files/${name}?${query}`;
    link.download = name;
    link.textContent = name;
    $(".files", section).append(link);
  }
  drawHeatmap(section, view);
  section.view = view;
  section.against = since ? (beside ? "the first panel" : "the former view") : null;
  return section;
}

/** The words below the arcs. */
const labelsOf = (section) => [...section.querySelectorAll(".arcs svg > text[text-anchor]:not([font-size])")];

/** Copies the text of an element; where the browser forbids it, selects it for the user to copy. */
async function copy(button, element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    button.textContent = "Copied";
    $("#status").textContent = "the command is copied";
  } catch {
    getSelection().selectAllChildren(element);
    button.textContent = "Selected";
    $("#status").textContent = "the command is selected: copy it";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

/** Says and shows which words have another head than in the view it is compared with. */
function markChanges(section) {
  const { words, heads, changes } = section.view;
  // Nothing is said of a sentence that shares no word with the former one.
  if (!section.against || changes.every(({ kind }) => kind === "word")) return;
  const changed = changes.flatMap(({ kind }, index) => (kind === "same" ? [] : [index]));
  const key = $(".key", section);
  key.textContent = changed.length
    ? `Against ${section.against}, ${changed.length} of ${words.length} arcs are changed or new (thick):`
    : `The same arcs as in ${section.against}.`;
  key.hidden = false;
  const list = $(".changes", section);
  list.hidden = !changed.length;
  for (const index of changed) {
    const item = document.createElement("li");
    const { kind, former } = changes[index];
    const head = heads[index] ? words[heads[index] - 1] : "ROOT";
    item.textContent = `${words[index]} ← ${head} (${kind === "word" ? "new word" : `was ← ${former}`})`;
    list.append(item);
  }
  const labels = labelsOf(section);
  const middle = (node) => node.getBBox().x + node.getBBox().width / 2;
  const centres = labels.map(middle);
  for (const index of changed) {
    labels[index].classList.add("changed");
    labels[index].classList.toggle("new", changes[index].kind === "word");
  }
  for (const arc of section.querySelectorAll(".arcs svg > g")) {
    // Its last part is the arrow head, which stands above the dependent.
    const at = middle(arc.lastElementChild);
    const nearest = centres.reduce((best, x, i) => (Math.abs(x - at) < Math.abs(centres[best] - at) ? i : best), 0);
    arc.classList.toggle("changed", changes[nearest].kind !== "same");
  }
}

function drawHeatmap(section, { words, heads, values, unknown, scale }) {
  const table = $(".heatmap", section);
  const flat = values.flat();
  const largest = Math.max(...flat.map(Math.abs)) || 1;
  const negative = flat.some((value) => value < 0);
  const head = table.createTHead().insertRow();
  head.append(document.createElement("td"));
  for (const [place, word] of words.entries()) head.append(header("col", word, unknown.includes(place)));
  const body = table.createTBody();
  words.forEach((word, i) => {
    const row = body.insertRow();
    row.append(header("row", word, unknown.includes(i)));
    words.forEach((_, j) => {
      const cell = row.insertCell();
      cell.tabIndex = i === 0 && j === Math.min(1, words.length - 1) ? 0 : -1;
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-label", about(words, heads, values, i, j));
      cell.classList.toggle("own", i === j);
      cell.classList.toggle("arc", heads[i] === j + 1);
      cell.classList.toggle("below", values[i][j] < 0);
      cell.style.setProperty("--share", `${(100 * Math.abs(values[i][j])) / largest}%`);
    });
  });
  $(".cell", section).textContent = CELL_HINT;
  $(".bar", section).classList.toggle("below", negative);
  $(".least", section).textContent = rounded(negative ? -largest : 0);
  $(".most", section).textContent = rounded(largest);
  $(".unit", section).textContent = scale;
  const say = (cell) => point(section, table, cell);
  const cellOf = (event) => event.target.closest("tbody td");
  table.addEventListener("mouseover", (event) => cellOf(event) && say(cellOf(event)));
  table.addEventListener("focusin", (event) => cellOf(event) && say(cellOf(event)));
  table.addEventListener("click", (event) => cellOf(event) && focusCell(table, cellOf(event)));
  table.addEventListener("mouseleave", () => say(table.contains(document.activeElement) ? document.activeElement : null));
  table.addEventListener("keydown", (event) => moveFocus(event, table, words.length));
}

function header(scope, word, isUnknown) {
  const th = document.createElement("th");
  const span = document.createElement("span");
  th.scope = scope;
  span.textContent = word;
  span.title = isUnknown ? `${word} (unknown to the model)` : word;
  th.classList.toggle("unknown", isUnknown);
  th.append(span);
  return th;
}

const rounded = (value) => String(Number(value.toPrecision(3)));

function about(words, heads, values, i, j) {
  if (i === j) return `“${words[i]}” (${i + 1}) itself`;
  const arc = heads[i] === j + 1 ? "; an arc of the tree" : "";
  return `“${words[j]}” (${j + 1}) on “${words[i]}” (${i + 1}): ${Number(values[i][j].toPrecision(4))}${arc}`;
}

/** Names the pair of a cell and sets off its row and column. */
function point(section, table, cell) {
  $(".cell", section).textContent = cell ? cell.getAttribute("aria-label") : CELL_HINT;
  for (const th of table.querySelectorAll("th.on")) th.classList.remove("on");
  if (!cell) return;
  cell.parentNode.firstElementChild.classList.add("on");
  table.tHead.rows[0].cells[cell.cellIndex].classList.add("on");
}

function focusCell(table, cell) {
  $("td[tabindex='0']", table).tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}

function moveFocus(event, table, n) {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -n], End: [0, n] };
  const step = steps[event.key];
  const cell = event.target.closest("tbody td");
  if (!step || !cell) return;
  event.preventDefault();
  const within = (index) => Math.min(Math.max(index, 0), n - 1);
  const row = table.tBodies[0].rows[within(cell.parentNode.sectionRowIndex + step[0])];
  focusCell(table, row.cells[within(cell.cellIndex - 1 + step[1]) + 1]);
}

// ---- Start

function addExamples(examples) {
  $("#examples").append(
    ...examples.map((example) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = example;
      button.addEventListener("click", () => {
        $("#text").value = example;
        $("#spaces").checked = false;
        show(shown.query, { remember: true });
      });
      return button;
    }),
  );
}

function describeMethods() {
  for (const [name, { about: text }] of Object.entries(methods)) {
    const [term, said] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    said.textContent = text;
    $("#methods").append(term, said);
  }
}

async function start() {
  const options = await (await fetch("options")).json();
  methods = Object.fromEntries(options.choices.method.map((name) => [name, options.methods[name]]));
  for (const fieldset of [$("#first"), $("#second")]) addSelects(fieldset, options);
  addExamples(options.examples);
  describeMethods();
  $("#text").maxLength = options.limits.characters;
  const submit = () => show(shown.query, { remember: true });
  $("#ask").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  $("#text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  });
  $("#ask").addEventListener("change", (event) => {
    if (event.target.id === "beside") $("#second").hidden = !event.target.checked;
    if (event.target.id !== "text" && $("#text").value.trim()) submit();
  });
  $("#stop").addEventListener("click", () => running?.abort());
  const fromAddress = () => {
    const { since, lacking } = readAddress();
    if (lacking.length) {
      running?.abort();
      $("#views").replaceChildren();
      fail(`the link asks for ${lacking.join(", ")}, which this explorer does not have: choose another and press Show`);
    } else {
      if (!$("#text").value) openExample(options.examples[0]);
      show(since, { remember: false });
    }
  };
  addEventListener("popstate", fromAddress);
  fromAddress();
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => fail(error.message));
