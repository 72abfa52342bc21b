"use strict";
// Filters and sorts the list of sentences; opens one when it is asked for. Nothing is ever requested.
(() => {
  const form = document.getElementById("filters");
  const list = document.getElementById("sentence-list");
  const count = document.getElementById("count");
  const records = JSON.parse(document.getElementById("sentence-data").textContent);
  const fold = (text) => text.normalize("NFC").toLocaleLowerCase();
  const split = (text) => new Set(text ? text.split(" ") : []);
  const sentences = [...list.children].map((node, place) => ({
    node,
    place,
    corpus: node.dataset.corpus,
    length: Number(node.dataset.n),
    text: fold(node.querySelector(".words").textContent),
    labels: split(node.dataset.labels),
    wrong: split(node.dataset.wrong),
    score: (protocol) => Number(node.dataset[protocol] ?? NaN),
  }));
  const recordOf = new Map(sentences.map((sentence) => [sentence.node, records[sentence.place]]));

  const within = (value, low, high) => (low === "" || value >= Number(low)) && (high === "" || value <= Number(high));

  function passes(sentence, wanted) {
    const labels = wanted.onlywrong ? sentence.wrong : sentence.labels;
    return (
      (!wanted.corpus || sentence.corpus === wanted.corpus) &&
      sentence.text.includes(fold(wanted.search)) &&
      within(sentence.length, wanted.shortest, wanted.longest) &&
      within(sentence.score(wanted.protocol), wanted.lowest, wanted.highest) &&
      (wanted.label ? labels.has(wanted.label) : !wanted.onlywrong || labels.size > 0)
    );
  }

  // How much more a method scores than the first one: the method of the score chosen, or the second.
  function gain(sentence, protocol) {
    const [first, place = 2] = protocol.split("-");
    return sentence.score(`${first}-${place}`) - sentence.score(first);
  }

  // Sentences without a score stand last in either order.
  const keys = {
    corpus: (sentence) => sentence.place,
    short: (sentence) => sentence.length,
    long: (sentence) => -sentence.length,
    worst: (sentence, protocol) => sentence.score(protocol),
    best: (sentence, protocol) => -sentence.score(protocol),
    gain: (sentence, protocol) => -gain(sentence, protocol),
    loss: (sentence, protocol) => gain(sentence, protocol),
  };
  function sorted(order, protocol) {
    const key = (sentence) => {
      const value = keys[order](sentence, protocol);
      return Number.isNaN(value) ? Infinity : value;
    };
    return [...sentences].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a.place - b.place));
  }

  let shown = "corpus fair";
  function apply() {
    const wanted = Object.fromEntries(new FormData(form));
    let passed = 0;
    for (const sentence of sentences) {
      sentence.node.hidden = !passes(sentence, wanted);
      passed += !sentence.node.hidden;
    }
    const order = `${wanted.order} ${wanted.protocol}`;
    if (order !== shown) {
      shown = order;
      list.append(...sorted(wanted.order, wanted.protocol).map((sentence) => sentence.node));
    }
    count.textContent = `${passed.toLocaleString("en")} of ${sentences.length.toLocaleString("en")} sentences`;
  }
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  apply();

  function open(event) {
    const body = event.target.querySelector(".body");
    if (event.target.open && body && !body.childElementCount) drawSentence(body, recordOf.get(event.target));
  }
  list.addEventListener("toggle", open, true);

  function openTarget() {
    const target = document.getElementById(location.hash.slice(1));
    if (recordOf.has(target)) target.open = true;
  }
  window.addEventListener("hashchange", openTarget);
  openTarget();
})();
