// A map of faces, and a dial with true distances around one of them.
// `distancesFrom`, `nearest`, `inside`, `towards` and `dial` are twins of those in embedding_map.py; a test compares them.

export const LIMIT = 1.2;
export const MOST = 12;

const COLOURS = [
  "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9",
  "#000000", "#8C6D1F", "#882255", "#999999", "#332288", "#44AA99",
];
const CIRCLE = "M-6,0 a6,6 0 1,0 12,0 a6,6 0 1,0 -12,0 z";
const SQUARE = "M-5.5,-5.5 h11 v11 h-11 z";
const UP = "M0,-7 L6.5,5.5 L-6.5,5.5 z";
const DIAMOND = "M0,-7.5 L7.5,0 L0,7.5 L-7.5,0 z";
const DOWN = "M0,7 L6.5,-5.5 L-6.5,-5.5 z";
const PLUS = "M-2.4,-7 h4.8 v4.6 h4.6 v4.8 h-4.6 v4.6 h-4.8 v-4.6 h-4.6 v-4.8 h4.6 z";
const CROSS = "M0,-3.4 L3.4,-6.8 L6.8,-3.4 L3.4,0 L6.8,3.4 L3.4,6.8 L0,3.4 L-3.4,6.8 L-6.8,3.4 L-3.4,0 L-6.8,-3.4 L-3.4,-6.8 z";
const FIVE = "M0,-7 L6.7,-2.2 L4.1,5.7 L-4.1,5.7 L-6.7,-2.2 z";
const SHAPES = [CIRCLE, SQUARE, UP, DIAMOND, DOWN, PLUS, CROSS, FIVE, DIAMOND, DOWN, CROSS, CIRCLE];
const SIZE = 560; // of each drawing, in its own units
const SVG = "http://www.w3.org/2000/svg";

// ---- the arithmetic -----------------------------------------------------------------------------------

export function distancesFrom(vectors, count, row) {
  const dim = vectors.length / count;
  const away = new Float64Array(count);
  for (let other = 0; other < count; other++) {
    let dot = 0;
    for (let i = 0; i < dim; i++) dot += vectors[other * dim + i] * vectors[row * dim + i];
    away[other] = 1 - dot;
  }
  return away;
}

export function nearest(away, row, count = 5) {
  const order = [...away.keys()].sort((a, b) => away[a] - away[b] || a - b);
  return order.filter((other) => other !== row).slice(0, count);
}

export function inside(away, person, row, radius) {
  let own = 0;
  let others = 0;
  away.forEach((distance, other) => {
    if (other === row || distance > radius) return;
    if (person[other] === person[row]) own += 1;
    else others += 1;
  });
  return [own, others];
}

export function towards(points, row, way) {
  let best = row;
  let least = Infinity;
  points.forEach((point, other) => {
    const x = point[0] - points[row][0];
    const y = point[1] - points[row][1];
    const along = x * way[0] + y * way[1];
    const aside = Math.abs(x * way[1] - y * way[0]);
    if (along > 1e-9 && aside <= along && along + 2 * aside < least) {
      best = other;
      least = along + 2 * aside;
    }
  });
  return best;
}

export function dial(away, person) {
  const people = Math.max(...person) + 1;
  const total = Array(people).fill(0);
  for (const who of person) total[who] += 1;
  const passed = Array(people).fill(0);
  return person.map((who, row) => {
    const share = 0.12 + (0.76 * (passed[who]++ + 0.5)) / total[who];
    const angle = Math.PI / 2 - (2 * Math.PI * (who + share)) / people;
    const radius = Math.min(away[row], LIMIT);
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

// ---- the drawing --------------------------------------------------------------------------------------

const MAP = (SIZE / 2) * 0.96; // units of a map's 1
const DIAL = (SIZE / 2 - 62) / LIMIT; // units of a distance of 1: names stand around the rim
const at = (point, scale) => [SIZE / 2 + point[0] * scale, SIZE / 2 - point[1] * scale];
const WIDE = 10.6; // of a letter of a name, at most
const plain = (name) => name.replaceAll("_", " ");

function make(kind, attributes = {}, parent = null) {
  const node = document.createElementNS(SVG, kind);
  set(node, attributes);
  if (parent) parent.append(node);
  return node;
}

function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
}

function html(kind, text = "", parent = null) {
  const node = document.createElement(kind);
  node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function label(words, parent) {
  const node = html("label", "", parent);
  html("span", words, node);
  return node;
}

// Names that would lie on each other are pushed apart, up and down.
function apart(spots) {
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < spots.length; i++) {
      for (let j = 0; j < i; j++) {
        const [a, b] = [spots[i], spots[j]];
        const overlap = 21 - Math.abs(a.y - b.y);
        if (overlap <= 0 || Math.abs(a.x - b.x) > (a.w + b.w) / 2) continue;
        const push = (a.y < b.y ? -1 : 1) * (overlap / 2 + 0.5);
        a.y += push;
        b.y -= push;
      }
    }
  }
  for (const spot of spots) {
    spot.x = Math.min(SIZE - spot.w / 2 - 4, Math.max(spot.w / 2 + 4, spot.x));
    spot.y = Math.min(SIZE - 14, Math.max(14, spot.y));
  }
}

const quantile = (values, q) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * q)];

function render({ model, el }) {
  const texts = model.get("texts");
  // In the course's language; {0}, {1}, … are places for values.
  const say = (text, ...values) => (texts[text] ?? text).replace(/\{(\d)\}/g, (_, place) => values[place]);
  const root = html("div", "", el);
  root.className = "facelab-map";
  root.dataset.lmSuppressShortcuts = "true"; // arrow keys are ours, not JupyterLab's, while a view has focus

  const row = html("div", "", root);
  row.className = "controls";
  const who = html("select", "", label(say("person"), row));
  who.setAttribute("aria-label", say("person"));
  const photo = html("select", "", label(say("photo"), row));
  photo.setAttribute("aria-label", say("photo"));
  const radiusLabel = label(say("radius"), row);
  const radius = html("input", "", radiusLabel);
  Object.assign(radius, { type: "range", min: 0, max: LIMIT, step: 0.01 });
  radius.setAttribute("aria-label", say("radius of the circle, a cosine distance"));
  const readout = html("output", "", radiusLabel);
  const projection = html("select", "", label(say("map"), row));
  projection.setAttribute("aria-label", say("map"));
  for (const [name, shown] of [
    ["PCA", "PCA"],
    ["t-SNE", "t-SNE"],
    ["UMAP, seed 1", say("UMAP, seed 1")],
    ["UMAP, seed 2", say("UMAP, seed 2")],
    ["UMAP, fitted now", say("UMAP, fitted now (slow)")],
  ]) {
    html("option", shown, projection).value = name;
  }

  const views = html("div", "", root);
  views.className = "views";
  const view = (caption, words) => {
    const figure = html("figure", "", views);
    html("figcaption", caption, figure);
    const svg = make("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "group", tabindex: 0, "aria-label": words }, figure);
    return svg;
  };
  const left = view(say("The map"), say("Map of faces. Arrow keys go to the next face in that direction."));
  const right = view(
    say("True distances from the chosen face"),
    say("Dial: the chosen face in the middle, every other at its distance. Up and down change the circle."),
  );
  left.classList.add("map");
  right.classList.add("dial");

  const status = html("div", "", root);
  status.className = "status";
  status.setAttribute("role", "status");
  const neighbours = html("div", "", root);
  neighbours.className = "neighbours";
  const message = html("div", "", root);
  message.className = "message";
  message.setAttribute("aria-live", "polite");
  const alert = html("div", "", root);
  const fold = html("details", "", root);
  html("summary", say("Choose the people (2 to {0})", MOST), fold);
  const list = html("div", "", fold);
  list.className = "people";

  let vectors = null;
  let away = null;
  let spots = {}; // map and dial: the points in their own coordinates
  let marks = { map: [], dial: [] };
  let parts = {};

  const name = (face) => `${plain(model.get("people")[model.get("person")[face]])} ${model.get("number")[face]}`;
  const points = () => model.get("maps")[model.get("projection")] ?? model.get("maps").PCA;

  let waiting = false;
  function save() {
    if (waiting) return; // one message to Python for each frame, not for each movement of the mouse
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      model.save_changes();
    });
  }
  function change(key, value) {
    if (model.get(key) === value) return;
    model.set(key, value);
    save();
  }
  const choose = (face) => change("chosen", face);
  const reach = (value) => change("radius", Math.round(Math.min(LIMIT, Math.max(0, value)) * 100) / 100);

  // Everything that depends on who is shown.
  function build() {
    const bytes = model.get("vectors");
    const person = model.get("person");
    const people = model.get("people");
    vectors = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    who.replaceChildren();
    people.forEach((one, place) => (html("option", plain(one), who).value = place));
    left.replaceChildren();
    right.replaceChildren();
    for (const value of [0.4, 0.8, LIMIT]) {
      make("circle", { class: "grid", cx: SIZE / 2, cy: SIZE / 2, r: value * DIAL }, right);
    }
    people.forEach((_, place) => {
      const angle = Math.PI / 2 - (2 * Math.PI * place) / people.length;
      const [x2, y2] = at([Math.cos(angle) * LIMIT, Math.sin(angle) * LIMIT], DIAL);
      make("line", { class: "spoke", x1: SIZE / 2, y1: SIZE / 2, x2, y2 }, right);
    });
    parts.circle = make("circle", { class: "circle", cx: SIZE / 2, cy: SIZE / 2 }, right);
    parts.edge = make("circle", { class: "edge", cx: SIZE / 2, cy: SIZE / 2 }, right);
    marks = { map: [], dial: [] };
    for (const [kind, svg] of [["map", left], ["dial", right]]) {
      person.forEach((one, face) => {
        const mark = make("path", { class: "face", d: SHAPES[one], fill: COLOURS[one], "data-face": face }, svg);
        marks[kind].push(mark);
      });
      parts[kind] = make("circle", { class: "ring", r: 13 }, svg);
    }
    for (const value of [0.4, 0.8, LIMIT]) {
      const [x, y] = at([0, value], DIAL); // upwards, where two sectors meet
      make("text", { class: "tick", x, y: y - (value === LIMIT ? 11 : 0) }, right).textContent = value;
    }
    people.forEach((one, place) => {
      const angle = Math.PI / 2 - (2 * Math.PI * (place + 0.5)) / people.length;
      const words = plain(one).split(" ");
      const [x, y] = at([Math.cos(angle) * LIMIT, Math.sin(angle) * LIMIT], DIAL);
      const lines = words.length > 1 ? [words[0], words.slice(1).join(" ")] : words;
      const wide = (Math.max(...lines.map((line) => line.length)) * WIDE) / 2;
      const cx = Math.min(SIZE - wide - 2, Math.max(wide + 2, x + Math.cos(angle) * (wide + 6)));
      lines.forEach((line, i) => {
        const cy = y - Math.sin(angle) * 24 + (i - (lines.length - 1) / 2) * 19;
        make("text", { x: cx, y: Math.min(SIZE - 10, Math.max(11, cy)) }, right).textContent = line;
      });
    });
    parts.names = people.map((one) => {
      const text = make("text", {}, left);
      text.textContent = plain(one);
      return text;
    });
    parts.tip = { map: make("text", { class: "tip" }, left), dial: make("text", { class: "tip" }, right) };
    list.replaceChildren();
    for (const one of model.get("choices")) {
      const item = html("label", "", list);
      const tick = html("input", "", item);
      tick.type = "checkbox";
      tick.checked = people.includes(one);
      tick.disabled = tick.checked ? people.length <= 2 : people.length >= MOST;
      item.append(` ${plain(one)}`);
      tick.addEventListener("change", () => {
        const shown = model.get("people");
        model.set("people", tick.checked ? [...shown, one] : shown.filter((other) => other !== one));
        message.textContent = say("A new map is being made …");
        save();
      });
    }
  }

  function put(kind, scale) {
    spots[kind].forEach((point, face) => {
      const [x, y] = at(point, scale);
      marks[kind][face].setAttribute("transform", `translate(${x.toFixed(1)},${y.toFixed(1)})`);
    });
  }

  function placeMap() {
    spots.map = points();
    put("map", MAP);
    const person = model.get("person");
    const names = parts.names.map((text, place) => {
      const own = spots.map.filter((_, face) => person[face] === place);
      const [x, y] = at([quantile(own.map((p) => p[0]), 0.5), quantile(own.map((p) => p[1]), 0.9)], MAP);
      return { x, y: y - 20, w: text.textContent.length * WIDE };
    });
    apart(names);
    names.forEach(({ x, y }, place) => set(parts.names[place], { x, y }));
  }

  function draw() {
    const person = model.get("person");
    const chosen = Math.min(model.get("chosen"), person.length - 1);
    const limit = model.get("radius");
    away = distancesFrom(vectors, person.length, chosen);
    spots.dial = dial(away, person);
    put("dial", DIAL);
    for (const kind of ["map", "dial"]) {
      marks[kind].forEach((mark, face) => mark.classList.toggle("near", away[face] <= limit));
      const [cx, cy] = at(spots[kind][chosen], kind === "map" ? MAP : DIAL);
      set(parts[kind], { cx, cy });
      parts.tip[kind].textContent = "";
    }
    for (const circle of [parts.circle, parts.edge]) circle.setAttribute("r", limit * DIAL);
    radius.value = limit;
    readout.textContent = limit.toFixed(2);
    projection.value = model.get("projection");
    who.value = person[chosen];
    const photos = person.flatMap((one, face) => (one === person[chosen] ? [face] : []));
    if (photo.dataset.of !== photos.join()) {
      photo.dataset.of = photos.join();
      photo.replaceChildren();
      for (const face of photos) html("option", model.get("number")[face], photo).value = face;
    }
    photo.value = chosen;
    const [own, others] = inside(away, person, chosen, limit);
    status.replaceChildren();
    const told = say(
      "Circle of {0} around {1}: **{2} of {3}** other photos of the same person inside, **{4} of {5}** of other people.",
      limit.toFixed(2), name(chosen), own, photos.length - 1, others, person.length - photos.length,
    );
    told.split("**").forEach((part, i) => {
      if (i % 2) html("b", part, status).className = i === 3 && others ? "others" : "";
      else status.append(part);
    });
    const five = nearest(away, chosen).map((face) => `${name(face)} (${away[face].toFixed(2)})`);
    neighbours.textContent = say("Nearest: {0}", five.join(", "));
    message.textContent = model.get("message");
  }

  function report(text) {
    if (model.get("error") === text) return;
    model.set("error", text);
    save();
  }

  function guarded(work) {
    try {
      work();
      alert.replaceChildren();
      alert.removeAttribute("role");
      report(null);
    } catch (error) {
      alert.setAttribute("role", "alert");
      alert.textContent = `⚠ ${say("This change could not be drawn.")} ${error}`;
      report(String(error));
    }
  }
  const all = () =>
    guarded(() => {
      const consistent = model.get("person").length === points().length;
      if (!consistent) return; // the next message completes it
      build();
      placeMap();
      draw();
    });
  const moved = () => guarded(() => (placeMap(), draw()));
  const changed = () => guarded(draw);

  // Pointing, clicking, dragging.
  const faceOf = (event) => event.target.dataset?.face;
  for (const [kind, svg] of [["map", left], ["dial", right]]) {
    svg.addEventListener("pointermove", (event) => {
      const face = faceOf(event);
      const tip = parts.tip[kind];
      tip.textContent = face === undefined ? "" : `${name(face)}: ${away[face].toFixed(2)}`;
      if (face === undefined) return;
      const [x, y] = at(spots[kind][face], kind === "map" ? MAP : DIAL);
      const half = (tip.textContent.length * WIDE) / 2;
      set(tip, { x: Math.min(SIZE - half, Math.max(half, x)), y: y < 40 ? y + 24 : y - 22 });
    });
    svg.addEventListener("pointerleave", () => (parts.tip[kind].textContent = ""));
    svg.addEventListener("click", (event) => {
      if (faceOf(event) !== undefined) choose(Number(faceOf(event)));
    });
  }
  let dragging = false;
  right.addEventListener("pointerdown", (event) => {
    if (event.target !== parts.edge) return;
    dragging = true;
    right.setPointerCapture(event.pointerId);
    right.focus();
    event.preventDefault();
  });
  right.addEventListener("pointermove", (event) => {
    if (!dragging) return;
    const box = right.getBoundingClientRect();
    const scale = SIZE / box.width;
    const x = (event.clientX - box.left) * scale - SIZE / 2;
    const y = (event.clientY - box.top) * scale - SIZE / 2;
    reach(Math.hypot(x, y) / DIAL);
  });
  for (const end of ["pointerup", "pointercancel"]) right.addEventListener(end, () => (dragging = false));

  // Keyboard.
  const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  left.addEventListener("keydown", (event) => {
    if (!(event.key in WAYS)) return;
    choose(towards(points(), model.get("chosen"), WAYS[event.key]));
    event.preventDefault();
    event.stopPropagation();
  });
  right.addEventListener("keydown", (event) => {
    if (!(event.key in WAYS)) return;
    reach(model.get("radius") + (WAYS[event.key][0] + WAYS[event.key][1]) * (event.shiftKey ? 0.1 : 0.01));
    event.preventDefault();
    event.stopPropagation();
  });
  who.addEventListener("change", () => choose(model.get("person").indexOf(Number(who.value))));
  photo.addEventListener("change", () => choose(Number(photo.value)));
  radius.addEventListener("input", () => reach(Number(radius.value)));
  projection.addEventListener("change", () => change("projection", projection.value));

  model.on("change:chosen change:radius change:message", changed);
  model.on("change:projection", moved);
  model.on("change:maps", all);
  all();
  return () => {
    model.off("change:chosen change:radius change:message", changed);
    model.off("change:projection", moved);
    model.off("change:maps", all);
  };
}

export default { render };
