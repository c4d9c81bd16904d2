/* The page that searches. What can be found stands in search-entries.js, made by _ext/superbook/searching.py: each section
   of the book in prose. MiniSearch (vendor/minisearch) finds; what is shown, and the address, follow the field. */
(() => {
  "use strict";
  const { pages, entries } = window.searchEntries;
  const field = document.querySelector(".bd-search-container form.bd-search input");
  const [said, results, contents] = ["search-said", "search-results", "search-contents"].map(id => document.getElementById(id));
  const DELAY = 120; // ms after the last key
  const SHOWN = 3; // sections of a page, the others are folded
  const LENGTH = 240, BEFORE = 70; // letters of a snippet, and of them before the first match

  // --- Words -----------------------------------------------------------------------------------------------------------

  // A Greek letter is a word, whatever stands beside it in a formula; raised and lowered digits are words of their own.
  const WORD = /\p{Script=Greek}|(?:(?!\p{Script=Greek})[\p{L}\p{M}\p{Nd}])+|\p{No}+/gu;
  // Small and large ones differ: σ is a deviation, Σ a sum.
  const NAMES = new Map(Object.entries({
    α: "alpha", β: "beta", γ: "gamma", δ: "delta", ε: "epsilon", ζ: "zeta", η: "eta", θ: "theta", κ: "kappa", λ: "lambda", μ: "mu",
    ν: "nu", ξ: "xi", π: "pi", ρ: "rho", σ: "sigma", τ: "tau", φ: "phi", χ: "chi", ψ: "psi", ω: "omega",
    Γ: "gamma", Δ: "delta", Θ: "theta", Λ: "lambda", Π: "product", Σ: "sum", Φ: "phi", Ψ: "psi", Ω: "omega",
  }));
  const words = text => text.match(WORD) ?? [];
  const plain = word => {
    const letters = word.normalize("NFKD").replace(/\p{M}/gu, "");
    return NAMES.has(letters) ? letters : letters.toLowerCase();
  };
  const terms = word => NAMES.has(plain(word)) ? [plain(word), NAMES.get(plain(word))] : plain(word); // both find it

  // --- Finding ---------------------------------------------------------------------------------------------------------

  const index = new MiniSearch({
    fields: ["title", "page", "text", "folded"],
    tokenize: words,
    processTerm: terms,
    searchOptions: {
      processTerm: plain,
      boost: { title: 4, page: 2, folded: 0.5 },
      boostDocument: id => /^\d/.test(pages[entries[id][0]][0]) ? 2 : 1, // chapters before the package
      prefix: word => word.length > 1,
      maxFuzzy: 2,
      weights: { prefix: 0.5, fuzzy: 0.3 },
    },
  });
  index.addAll(entries.map(([page, title, , text, folded], id) => ({ id, title, page: pages[page][0], text, folded })));

  // As it is typed; else with a slip for every five letters; else some of the words.
  const WAYS = [{ combineWith: "AND" }, { combineWith: "AND", fuzzy: 0.2 }, { combineWith: "OR", fuzzy: 0.2 }];
  const line = text => ` ${words(text).map(plain).join(" ")} `;

  /* The entries that answer, best first, and in which of the ways; what stands in quotes must stand there as it is. */
  function find(query) {
    const quoted = [...query.matchAll(/["“”«»]([^"“”«»]+)["“”«»]/g)].map(found => line(found[1])).filter(text => text.trim());
    const has = id => quoted.every(text => entries[id].slice(1).some(part => typeof part === "string" && line(part).includes(text)));
    for (const [way, options] of WAYS.entries()) {
      const found = index.search(query, { ...options, filter: ({ id }) => has(id) });
      if (found.length) return { way, found };
    }
    return { way: WAYS.length, found: [] };
  }

  // --- Showing ---------------------------------------------------------------------------------------------------------

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.append(...children);
    return made;
  }

  /* Where in a text the words stand that were found. */
  function matches(text, found) {
    const known = new Set(found.terms);
    return [...text.matchAll(WORD)].filter(([word]) => [terms(word)].flat().some(term => known.has(term)));
  }

  function marked(text, found) {
    const parts = [];
    let end = 0;
    for (const { 0: word, index: start } of matches(text, found)) {
      parts.push(text.slice(end, start), element("mark", {}, word));
      end = start + word.length;
    }
    return [...parts, text.slice(end)];
  }

  /* The piece of a text that has the most of the words that were found; empty if it has none. */
  function snippet(text, found) {
    const places = matches(text, found);
    if (!places.length) return "";
    const count = from => new Set(places.filter(({ index }) => index >= from && index < from + LENGTH - BEFORE).map(([word]) => plain(word))).size;
    const best = places.map(({ index }) => index).reduce((one, other) => count(other) > count(one) ? other : one);
    const start = best > BEFORE ? text.indexOf(" ", best - BEFORE) + 1 : 0;
    const cut = text.slice(start).length > LENGTH ? text.lastIndexOf(" ", start + LENGTH) : text.length;
    const end = Math.max(cut, best + 1);
    return `${start ? "… " : ""}${text.slice(start, end)}${end < text.length ? " …" : ""}`;
  }

  function item(found) {
    const [page, title, anchor, text, folded] = entries[found.id];
    const inText = snippet(text, found), inFold = inText ? "" : snippet(folded, found);
    const shown = inText || inFold || beginning(text);
    const link = element("a", { href: pages[page][1] + (anchor && `#${anchor}`) }, ...marked(title, found));
    return element("li", {}, link, element("p", {}, inFold ? "In a solution: " : "", ...marked(shown, found)));
  }

  const beginning = text => text.length > LENGTH ? `${text.slice(0, text.lastIndexOf(" ", LENGTH))} …` : text;

  function chapter(page, found) {
    const [title, address] = pages[page];
    const list = items => element("ol", {}, ...items.map(item));
    const more = found.slice(SHOWN);
    const folded = more.length ? [element("details", {}, element("summary", {}, `${more.length} more here`), list(more))] : [];
    return element("section", {}, element("h2", {}, element("a", { href: address }, title)), list(found.slice(0, SHOWN)), ...folded);
  }

  const many = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

  /* What a screen reader is told, and everyone sees. */
  function summary(query, { way, found }, chapters) {
    if (!words(query).length) return "Type a word, a symbol (σ or sigma), or words in quotes that stand together.";
    if (!found.length) return `Nothing is found for “${query}”. Try fewer or shorter words, or go by the contents:`;
    const count = `${many(found.length, "section")} on ${many(chapters, "page")}`;
    return [count, `Nothing has exactly “${query}”. Similar: ${count}`, `Nothing has all of “${query}”. Some of it: ${count}`][way];
  }

  function show(query) {
    const answer = find(query), byPage = new Map();
    for (const found of answer.found) {
      const page = entries[found.id][0];
      byPage.set(page, [...byPage.get(page) ?? [], found]);
    }
    results.replaceChildren(...[...byPage].map(([page, found]) => chapter(page, found)));
    contents.hidden = answer.found.length > 0;
    const text = summary(query, answer, byPage.size);
    if (said.textContent !== text) said.textContent = text;
  }

  // --- The address -----------------------------------------------------------------------------------------------------

  const asked = () => (new URLSearchParams(location.search).get("q") ?? "").trim();
  let timer = 0, settled = true; // whether going back is to return to the query that the address has now

  function note(query) {
    const address = new URL(location.href);
    address.hash = "";
    query ? address.searchParams.set("q", query) : address.searchParams.delete("q");
    const step = settled && asked() ? "pushState" : "replaceState";
    settled = false;
    try {
      history[step](null, "", address);
    } catch { /* some browsers keep the address of a file as it is */ }
  }

  function follow() {
    clearTimeout(timer);
    const query = field.value.trim();
    if (query !== asked()) note(query);
    show(query);
  }

  function recall() {
    settled = true;
    field.value = asked();
    show(asked());
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(follow, DELAY);
  });
  field.addEventListener("change", () => { settled = true; });
  field.form.addEventListener("submit", event => {
    event.preventDefault();
    follow();
    settled = true;
  });
  window.addEventListener("popstate", recall);

  // Up and down lead through the field and what is found.
  field.closest(".bd-search-container").addEventListener("keydown", event => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const stops = [field, ...results.querySelectorAll("a, summary")].filter(stop => stop.checkVisibility());
    const next = stops[stops.indexOf(document.activeElement) + step];
    if (!step || !stops.includes(document.activeElement) || !next) return;
    event.preventDefault();
    next.focus();
  });

  recall();
})();
