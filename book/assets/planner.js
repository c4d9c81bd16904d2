/* The planner: how many circuits fit, or how wide a network has to be, construction by construction.

   First the rules, small functions with the book's symbols, each beside the Python function that it mirrors
   (tests/test_planner.py compares them). They touch no page: the build runs them too, for the table that stands
   there before anyone types. Below them what touches the page. */

"use strict";

const planner = (() => {
  const S = 6; // slots of a circuit on the line code: superpos.show.planner.S
  const OF_UPDATE = 0.1; // the errors that are allowed: superpos.show.planner.OF_UPDATE, OF_SIGNAL
  const OF_SIGNAL = 0.01;

  // --- Numbers ---

  /** math.isqrt; the square root is rounded, and from 2⁵² on may be one too large. */
  function isqrt(x) {
    let n = Math.floor(Math.sqrt(x));
    while (n * n > x) n--;
    return n;
  }

  /** codes.fields.factors: the prime powers whose product is n, each of another prime. */
  function factors(n) {
    const found = [];
    for (let p = 2; n > 1; p++) {
      if (p * p > n) p = n;
      let q = 1;
      for (; n % p === 0; n /= p) q *= p;
      if (q > 1) found.push(q);
    }
    return found;
  }

  /** codes.fields.largest_prime_power: the largest one up to a limit, 0 if there is none. */
  function largestPrimePower(limit) {
    let q = limit;
    while (q > 1 && factors(q).length > 1) q--;
    return q > 1 ? q : 0;
  }

  /** Whether q^k ≥ T, by products that are exact as long as they are smaller than T. */
  function reaches(q, k, T) {
    let power = 1;
    for (let i = 0; i < k && power < T; i++) power *= q;
    return power >= T;
  }

  /** show.planner.narrowest: the least number from `least` on that fits, if all larger ones do. */
  function narrowest(fits, least) {
    let low = least - 1, high = least;
    while (!fits(high)) [low, high] = [high, 2 * high];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (fits(middle)) high = middle; else low = middle;
    }
    return high;
  }

  /** theory.usable_circuits: the largest T, to a part in a thousand, that fits; 0 if not even one does. */
  function usableCircuits(fits) {
    let low = 0, high = 1;
    while (fits(high)) [low, high] = [high, 2 * high];
    while (high - low > Math.max(1, Math.floor(low / 1000))) {
      const middle = Math.floor((low + high) / 2);
      if (fits(middle)) low = middle; else high = middle;
    }
    return low;
  }

  // --- Exact superposition: chapter 12 ---

  /** codes.max_columns: columns of polynomials of degree below k over q elements. */
  const maxColumns = (q, k) => (k === 1 ? 1 : Math.min(...factors(q)) + 1);

  /** exact.plan.smallest_entry: polynomials of degree below k over q elements, in S columns, on the fewest slots. */
  function smallestEntry(T, z) {
    let best = { k: 1, q: T, N: T }, fewest = T;
    const most = Math.floor(Math.log2(T)) + 2; // T.bit_length() + 1: where that is off by one, q = 2 does already
    for (let k = 2; k <= most; k++) {
      const columns = (z - 1) * (k - 1) + 1;
      let q = Math.max(2, columns - 1, Math.round(T ** (1 / k)) - 1);
      while (columns * q <= fewest && (!reaches(q, k, T) || maxColumns(q, k) < columns)) q++;
      if (columns * q > fewest) continue;
      fewest = columns * q;
      if (fewest < best.N) best = { k, q, N: fewest };
    }
    return best;
  }

  /** exact.sizes.chunks: of the d + 1 numbers of a slot each `mark` takes out `take`, and `compare` the rest. */
  function chunks(d, take) {
    let rest = d + 1, marks = 0;
    for (; !marks || rest >= take; marks++) rest -= take;
    return { marks, rest };
  }

  /** exact.sizes.width and .extra: the widest layer, everything counted, and the layers besides those of a circuit. */
  function sizes(d, z, lanes, n, wires, entry, take) {
    const e = d + 1, passes = Math.ceil(z / lanes), waiting = passes > 1 ? z * e : 0;
    const cells = lanes * (n * e + 2 * wires) + waiting; // wider than the layers that make wires and stairs
    if (!entry) return { D: cells, extra: 0, passes };
    const { marks, rest } = chunks(d, take), N = entry.N, before = z - 1; // the rounds before the last; that one is widest
    const D = Math.max(
      cells,
      N * (e + take) + (marks > 1 ? before : before - 1) * e, // mark
      N * (d + 2 + rest) + before * e, // compare
      N * (d + 2) + before * e, // match, which is wider than ties, clear and the last mark
    );
    return { D, extra: 3 + before * (marks + 3) + 4 * passes, passes };
  }

  /** exact.plan._narrowest: the narrowest network for T circuits, of equally narrow ones that of fewest layers. */
  function plan(T, d, z, lanes) {
    const n = isqrt(T - 1) + 1;
    let wires = 1;
    for (let sets = 1; sets < n; wires++) sets = binomial(wires + 1);
    if (z === 1) return { T, n, wires, ...sizes(d, z, lanes, n, wires, null, 0) };
    const entry = smallestEntry(T, z);
    let best = null;
    for (let take = 1; take <= d + 1; take++) {
      const found = { T, n, wires, entry, take, ...sizes(d, z, lanes, n, wires, entry, take) };
      if (!best || found.D < best.D || (found.D === best.D && found.extra < best.extra)) best = found;
    }
    return best;
  }

  /** C(m, ⌊m/2⌋): the sets of wires of which none contains another. */
  function binomial(m) {
    let ways = 1;
    for (let i = 1; i <= Math.floor(m / 2); i++) ways = (ways * (m - i + 1)) / i;
    return ways;
  }

  /** exact.plan._most: the largest T that width D holds, 0 if not even z circuits fit. */
  function mostExact(D, d, z, lanes) {
    let low = z - 1, high = Math.max(z, (Math.floor(D / (lanes * (d + 1))) + 1) ** 2);
    while (high - low > 1) {
      const T = Math.floor((low + high) / 2);
      if (plan(T, d, z, lanes).D <= D) low = T; else high = T;
    }
    return low < z ? 0 : low;
  }

  // --- The 2024 construction: chapters 6 and 8 ---

  /** theory.update_error: the error of the update after one layer, one copy of each neuron, no threshold. */
  function updateError(T, D, M, z, d, m) {
    T = Math.max(T, z);
    const r = (z * d) / D;
    const v = ((z - 1) * d) / D + (m / M) * ((T - z) * r + z - 1);
    const e = d * (v / 2 - (Math.sqrt(v) - Math.atan(Math.sqrt(v))) / Math.PI);
    const q = (d / 2) * (r + (m / M) * (Math.max(T - z - 1, 0) * r + z));
    return (e + (d / D) * ((z - 1) * (1.5 * d + e) + (T - z) * q)) / (d / 2);
  }

  // --- The redundant and the balanced construction: chapters 9 and 10 ---

  /** show.planner.held, codes.max_circuits("line", n, S): q² lines, or disjoint sets where q < S. */
  function held(n) {
    const q = largestPrimePower(Math.floor(n / S));
    return q >= S ? q * q : Math.floor(n / S);
  }

  /** show.planner.line_rho: the mean squared overlap ρ* of the line code. */
  function lineRho(T, n) {
    const q = largestPrimePower(Math.floor(n / S));
    if (q < S) return 0;
    const a = Math.floor(T / q), r = T % q;
    return (r * (a + 1) * a + (q - r) * a * (a - 1)) / (Math.max(T * (T - 1), 1) * S);
  }

  /** theory.mlps: the active error of the redundant construction after layer l. */
  const mlps = (l, T, z, rho) => rho * (l * (z - 1) + (l - 1) * T * rho * z);

  /** theory.point: the active error of conditional rotations in the balanced construction after layer l. */
  const point = (l, T, z, rho) => (l - 1) * T * rho ** 2 * (z + 8 * (z - 1)) + 9 * l * rho * (z - 1);

  // --- Each construction's rules: superpos.show.planner.rules ---

  const dense = (T, D) => D * D + D;

  function dedicated({ d, z }) {
    return {
      most: (D) => (Math.floor(D / d) >= z ? Math.floor(D / d) : 0),
      width: (T) => T * d,
      takes: (T) => T * d,
      error: (T, D) => (T * d <= D ? 0 : null),
      layers: () => 0,
      numbers: (T) => T * (d * d + d),
    };
  }

  function exact({ d, z, L }, lanes) {
    return {
      most: (D) => mostExact(D, d, z, lanes),
      width: (T) => plan(T, d, z, lanes).D,
      takes: (T) => plan(T, d, z, lanes).D,
      error: (T, D) => (plan(T, d, z, lanes).D <= D ? 0 : null),
      layers: (T) => { const { extra, passes } = plan(T, d, z, lanes); return extra + (passes - 1) * L; },
      numbers: dense,
    };
  }

  function residual({ d, z, m }) {
    const least = Math.max(d, m ?? d);
    const expected = (T, D) => updateError(T, D, D, z, d, m ?? d);
    return {
      most: (D) => (least <= D ? usableCircuits((T) => expected(T, D) <= OF_UPDATE) : 0),
      width: (T) => narrowest((D) => expected(T, D) <= OF_UPDATE, least),
      takes: (T, D) => D,
      error: (T, D) => (least <= D ? expected(T, D) : null),
      layers: () => 0,
      numbers: (T, D) => 2 * D * D + D,
    };
  }

  function coded({ d, z, L }, law) {
    const error = (T, D) => {
      const n = Math.floor(D / d);
      return held(n) >= T ? law(L, T, z, lineRho(T, n)) : null;
    };
    const fits = (T, D) => { const expected = error(T, D); return expected !== null && expected <= OF_SIGNAL; };
    const most = (D) => {
      const all = held(Math.floor(D / d));
      if (all < z) return 0;
      return fits(all, D) ? all : usableCircuits((T) => fits(Math.max(T, z), D));
    };
    const width = (T) => d * narrowest((n) => fits(T, n * d), 1);
    return { most, width, takes: (T, D) => D - (D % d), error, layers: () => 0, numbers: dense };
  }

  function rules(s) {
    const found = { dedicated: dedicated(s), lanes: exact(s, s.z) };
    if (s.z > 1) found.serial = exact(s, 1);
    if (s.d > 1) found.residual = residual(s);
    found.redundant = coded(s, mlps);
    if (s.d === 4) found.balanced = coded(s, point);
    return found;
  }

  /** show.planner._answer */
  function answer(key, rule, { D: width, T: asked }) {
    if (asked === null) {
      const T = rule.most(width);
      if (!T) return { key, T, D: null, fits: null, error: null, layers: 0, numbers: 0 };
      const D = rule.takes(T, width);
      return { key, T, D, fits: null, error: rule.error(T, width), layers: rule.layers(T), numbers: rule.numbers(T, D) };
    }
    const D = rule.width(asked), cost = { layers: rule.layers(asked), numbers: rule.numbers(asked, D) };
    if (width === null) return { key, T: asked, D, fits: null, error: rule.error(asked, D), ...cost };
    return { key, T: rule.most(width), D, fits: width >= D, error: rule.error(asked, width), ...cost };
  }

  /** show.planner.answers: the answer of each construction that is made for such circuits. */
  const answers = (s) => Object.entries(rules(s)).map(([key, rule]) => answer(key, rule, s));

  // --- Words ---

  const LIMITS = { D: 1e6, T: 1e10, d: 1000, z: 64, L: 1000, m: 4000 };
  const START = { D: 1000, T: null, d: 2, z: 2, L: 3, m: null }; // the front page's: superpos.show.planner.Settings
  const OPTIONAL = ["D", "T", "m"];
  const SINGLE = 2896 ** 2; // exact.limits.check_keys: beyond, keys need double precision

  /** A number for reading: 25,600 or 1.2·10⁻⁷. */
  function said(x) {
    const scientific = x !== 0 && (x < 1e-3 || x >= 1e15);
    if (!scientific) return Number.isInteger(x) ? String(x).replace(/\B(?=(\d{3})+$)/g, ",") : String(Number(x.toPrecision(2)));
    const [mantissa, power] = x.toExponential(1).split("e");
    return `${mantissa}·10${[...String(Number(power))].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("")}`;
  }

  /** What was typed as settings, and what is wrong with it: one message for each field that is refused. */
  function read(typed) {
    const s = {}, wrong = {};
    for (const [name, most] of Object.entries(LIMITS)) {
      const text = (typed[name] ?? "").trim(), plain = text.replace(/[,_\s]/g, "");
      const value = plain === "" ? NaN : Number(plain);
      s[name] = Number.isInteger(value) ? value : null;
      if (text === "" && OPTIONAL.includes(name)) continue;
      if (Number.isInteger(value) && value >= 1 && value <= most) continue;
      const near = Number.isNaN(value) ? START[name] ?? 1 : Math.min(most, Math.max(1, Math.round(value)));
      wrong[name] = `${name} is ${text === "" ? "empty" : text}; it must be a whole number from 1 to ${said(most)}. Try ${said(near)}.`;
    }
    if (Object.keys(wrong).length) return { s, wrong };
    if (s.D === null && s.T === null) {
      wrong.D = `D and T are both empty; give the width, the number of circuits, or both. Try D = ${said(START.D)}.`;
    } else if (s.T !== null && s.T < s.z) {
      wrong.T = `T is ${said(s.T)}; it must be at least z = ${s.z}, as many as are to be active. Try ${s.z}.`;
    }
    return { s, wrong };
  }

  /** The settings of an address; of one without any those that the page starts with. */
  function fromAddress(query) {
    const asked = new Map(query.replace(/^\?/, "").split("&").map((part) => part.split("=").map(decoded)));
    const known = Object.keys(LIMITS).filter((name) => asked.has(name));
    const start = known.includes("T") ? { ...START, D: null } : START;
    const text = (name) => (known.includes(name) ? asked.get(name) ?? "" : start[name] === null ? "" : String(start[name]));
    return { any: known.length > 0, typed: Object.fromEntries(Object.keys(LIMITS).map((name) => [name, text(name)])) };
  }

  function decoded(part) {
    try { return decodeURIComponent(part.replace(/\+/g, " ")); } catch { return part; }
  }

  /** The settings as an address has them. */
  function toAddress(s) {
    return "?" + Object.keys(LIMITS).filter((name) => s[name] !== null).map((name) => `${name}=${s[name]}`).join("&");
  }

  const plural = (count, noun) => `${said(count)} ${noun}${count === 1 ? "" : "s"}`;
  const few = ({ z }) => (z === 1 ? "Any one circuit" : `Any ${z} circuits`);
  const lists = ({ layers }) => (layers ? ` The layers before theirs find out who is active.` : "");
  const precise = ({ T }, s) => (s.z > 1 && Math.max(T, s.T ?? 0) > SINGLE ? " Keys of so many circuits need double precision." : "");

  const TOLD = {
    dedicated: { name: () => "side by side", chapter: "01-storing", says: () => "Each circuit has neurons of its own, and any number may be active." },
    lanes: {
      name: ({ z }) => (z === 1 ? "exact, one lane" : `exact, ${z} lanes`), chapter: "12-exact-superposition",
      says: (row, s) => `${few(s)} run${s.z === 1 ? "s" : ""} without error, at any depth.${lists(row)}${precise(row, s)}`,
    },
    serial: {
      name: () => "exact, one after another", chapter: "12-exact-superposition",
      says: (row, s) => `${few(s)} run without error in one lane, in turn; their own layers stand there ${s.z} times.${precise(row, s)}`,
    },
    residual: {
      name: () => "2024 construction", chapter: "08-usable-circuits",
      says: (row, s) => `Residual circuits of ${plural(s.m ?? s.d, "neuron")}, one copy of each, as many large neurons as the stream is wide. The error grows with every further layer.`,
    },
    redundant: {
      name: () => "redundant", chapter: "09-sharing-neurons",
      says: () => `Circuits without biases that forget what they hear, on ${S} slots each; the error is of first order.`,
    },
    balanced: {
      name: () => "balanced", chapter: "10-rotations",
      says: () => `Conditional rotations, on ${S} slots each; the error is of first order, and larger where idle slots switch on.`,
    },
  };

  /** The error that a row expects, with its measure. */
  function measure({ key, error }, s) {
    if (error === null) return "–";
    if (["dedicated", "lanes", "serial"].includes(key)) return "none";
    return key === "residual" ? `${said(error)} of the update, one layer` : `${said(error)} of the signal, ${plural(s.L, "layer")}`;
  }

  /** By how much a row is better than side by side: as many times as many circuits, or as many times narrower. */
  function gain({ T, D }, s) {
    const beside = s.D === null ? D && (T * s.d) / D : Math.floor(s.D / s.d) && T / Math.floor(s.D / s.d);
    return beside ? `${said(beside >= 100 ? Math.round(beside) : Number(beside.toPrecision(2)))} ×` : "–";
  }

  /** What is asked: circuits, a width, or both; and the cells that say it. */
  function asked(s) {
    const most = (row) => (row.T ? said(row.T) : `fewer than ${s.z}`), width = (row) => (row.D ? said(row.D) : "–");
    if (s.T === null) return [["circuits <var>T</var>", most]];
    if (s.D === null) return [["width <var>D</var>", width]];
    return [["fits", (row) => (row.fits ? "yes" : "no")], ["most <var>T</var>", most], ["least <var>D</var>", width]];
  }

  /** The rows as a table, each with a sentence; on a phone each is a card. */
  function table(s, rows) {
    const columns = [
      ...asked(s),
      [s.D === null ? "times as narrow as side by side" : "times as many as side by side", (row) => gain(row, s)],
      ["error to expect", (row) => measure(row, s)],
      ["more layers", (row) => (row.D ? said(row.layers) : "–")],
      ["numbers a layer", (row) => (row.D ? said(row.numbers) : "–")],
    ];
    const bound = Math.floor((s.D * s.D + s.D) / (s.d * s.d + s.d)); // theory.counting_bound
    const only = (part, text) => columns.map(([title]) => [title, title.endsWith(part) ? text : "–"]);
    const head = columns.map(([title]) => `<th scope="col">${title}</th>`).join("");
    const body = rows.map((row) => {
      const { name, chapter, says } = TOLD[row.key], words = row.T || s.T !== null ? says(row, s) : `Not even ${plural(s.z, "circuit")} would fit.`;
      return group(row.key, name(s), columns.map(([title, cell]) => [title, cell(row)]), words, chapter);
    });
    body.push(group("nothing", "doing nothing", only("expect", "1 of the update"), "Of the signal it is about a third for Gaussian circuits, and about 2 for rotations.", "08-usable-circuits"));
    if (s.D !== null) body.push(group("bound", "counting bound", only("<var>T</var>", said(bound)), "No network whose weights each carry one number of one circuit holds more.", "13-how-many-fit"));
    return `<table class="planner-table"><caption>${caption(s)}</caption><thead><tr><th scope="col">construction</th>${head}</tr></thead>${body.join("")}</table>`;
  }

  function group(key, name, cells, words, chapter) {
    const said = cells.map(([title, text]) => `<td${text === "–" ? ' class="planner-none"' : ""}><span class="planner-label" aria-hidden="true">${title}</span> ${text}</td>`).join("");
    const link = `<a href="${chapter}.html">Chapter ${Number(chapter.slice(0, 2))}</a>`;
    return `<tbody data-key="${key}"><tr><th scope="rowgroup">${name}</th>${said}</tr><tr><td colspan="${cells.length + 1}">${words} ${link}.</td></tr></tbody>`;
  }

  function caption(s) {
    const what = s.T === null ? `Width ${said(s.D)}` : s.D === null ? plural(s.T, "circuit") : `${plural(s.T, "circuit")} in width ${said(s.D)}`;
    return `${what}: circuits of width ${said(s.d)} with ${plural(s.L, "layer")}, any ${s.z} of them active`;
  }

  /** The table in a sentence, for those who hear it. */
  function summary(s, rows) {
    const cells = asked(s).slice(0, 1);
    return `${caption(s)}. ${rows.map((row) => `${TOLD[row.key].name(s)}: ${cells[0][1](row)}`).join("; ")}.`;
  }

  /** Python that builds a row's network with the package. */
  function code({ key, T: most, D }, s) {
    const T = s.T ?? most, { d, z, L } = s, single = z === 1 || T <= SINGLE || !["lanes", "serial"].includes(key);
    const general = [
      "g = torch.Generator().manual_seed(0)",
      `w, b = torch.randn(${L}, ${T}, ${d}, ${d}, generator=g), torch.randn(${L}, ${T}, ${d}, generator=g)`,
      "small = circuits.MLPCircuits(w, b)  # your own: circuits.from_modules(nets)",
    ];
    const family = { 2: "rotations", 4: "conditional_rotations" }[d];
    const any = family ? [`small = circuits.${family}(${T}, ${L}, seed=0)`] : general;
    const coded = `small, D=${D}, S=${S}, seed=0, code="line"`;
    const [module, small, call] = {
      dedicated: ["dedicated", any, "small"],
      lanes: ["exact", any, `small, z=${z}`],
      serial: ["exact", any, `small, z=${z}, lanes=1`],
      residual: ["residual", [`small = circuits.random_residual(${T}, d=${d}, m=${s.m ?? d}, L=1, seed=0)`], `small, D=${D}, M=${D}, S=1, seed=0`],
      redundant: ["redundant", [`small = circuits.${d === 4 ? `kaleidoscopes(${T}, ${L}` : `random_mlps(${T}, ${d}, ${L}`}, seed=0)`], coded],
      balanced: ["balanced", any, coded],
    }[key];
    const lines = [`from superpos import circuits, ${module}`, "", ...small];
    if (!single) lines.push("small = small.to(torch.float64)  # so many keys");
    if (lines.some((line) => line.includes("torch."))) lines.unshift("import torch");
    return [...lines, `large = ${module}.embed(${call})`, `print(large.D)  # ${D}`].join("\n");
  }

  const CHOSEN = "lanes"; // whose code is shown first

  return { LIMITS, START, CHOSEN, TOLD, updateError, lineRho, held, plan, answers, read, fromAddress, toAddress, table, summary, code };
})();

// --- The page ---

if (typeof document !== "undefined") {
  const form = document.querySelector("form.planner"), fields = form.querySelectorAll("input");
  const [table, heard, chosen, built, link] = ["table", "heard", "chosen", "built", "link"]
    .map((part) => document.getElementById(`planner-${part}`));
  let settings, rows, waiting;

  /** The code of the construction that is chosen: of those that fit, the first where it is not among them. */
  function showCode() {
    const row = rows.find(({ key }) => key === chosen.value);
    built.textContent = row ? planner.code(row, settings) : "# nothing fits";
  }

  function show(s) {
    [settings, rows] = [s, planner.answers(s)];
    table.innerHTML = planner.table(s, rows); // our own words and numbers, nothing that was typed
    const fitting = rows.filter(({ D }) => D), before = chosen.value;
    chosen.replaceChildren(...fitting.map(({ key }) => new Option(planner.TOLD[key].name(s), key)));
    chosen.value = [before, planner.CHOSEN, fitting[0]?.key].find((wanted) => fitting.some(({ key }) => key === wanted));
    showCode();
    link.textContent = new URL(planner.toAddress(s), location.href.split("#")[0]).href;
  }

  /** Read the fields: say what is wrong and keep the last table, or show what fits. */
  function update(remember) {
    const { s, wrong } = planner.read(Object.fromEntries([...fields].map((field) => [field.name, field.value])));
    for (const field of fields) {
      document.getElementById(`planner-${field.name}-wrong`).textContent = wrong[field.name] ?? "";
      if (wrong[field.name]) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid");
    }
    const sound = !Object.keys(wrong).length;
    if (sound) show(s);
    if (sound && remember) {
      try { history.replaceState(null, "", link.textContent + location.hash); } catch { /* from a disk it may not */ }
    }
    clearTimeout(waiting); // a screen reader hears the last of several changes
    waiting = setTimeout(() => {
      heard.textContent = sound ? planner.summary(settings, rows) : Object.values(wrong).join(" ");
    }, 700);
  }

  const { any, typed } = planner.fromAddress(location.search);
  for (const field of fields) field.value = typed[field.name]; // also where the browser has kept something else
  form.querySelector("fieldset").disabled = false;
  if (any) update(false); else show(planner.read(typed).s);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => update(true));
  chosen.addEventListener("change", showCode);
}
