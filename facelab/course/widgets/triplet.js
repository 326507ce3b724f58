// Three points to drag: the triplet loss, its zones, and the step of gradient descent for each point.
// `measure` and `step` are the twins of those in triplet.py; a test compares them.

export const RATE = 0.15;
export const LIMIT = [1.75, 1.25];
export const START = { anchor: [-0.6, -0.25], positive: [0.1, 0.35], negative: [0.28, -0.6] };

const NAMES = ["anchor", "positive", "negative"];
const LETTERS = { anchor: "a", positive: "p", negative: "n" };
const UNIT = 200; // pixels of the drawing for a distance of 1
const NUDGE = 0.02; // an arrow key; with Shift five times that
const SVG = "http://www.w3.org/2000/svg";

// ---- the arithmetic -----------------------------------------------------------------------------------

const minus = (x, y) => [x[0] - y[0], x[1] - y[1]];
const dot = (x, y) => x[0] * y[0] + x[1] * y[1];
const times = (s, x) => [s * x[0], s * x[1]];

export function onCircle(x) {
  const length = Math.hypot(...x);
  return length ? times(1 / length, x) : [1, 0];
}

export function places(points, circle) {
  return points.map((x) => (circle ? onCircle(x) : x));
}

export function measure(points, margin, circle) {
  const [a, p, n] = places(points, circle);
  const d1 = dot(minus(a, p), minus(a, p));
  const d2 = dot(minus(a, n), minus(a, n));
  const loss = Math.max(0, d1 - d2 + margin);
  let gradients = [minus(n, p), minus(p, a), minus(a, n)].map((x) => times(loss > 0 ? 2 : 0, x));
  if (circle) gradients = gradients.map((g, i) => minus(g, times(dot(g, [a, p, n][i]), [a, p, n][i])));
  const kind = d2 <= d1 ? "hard" : d2 < d1 + margin ? "semi-hard" : "easy";
  return { d1, d2, loss, kind, gradients };
}

const clip = (x) => x.map((value, i) => Math.min(LIMIT[i], Math.max(-LIMIT[i], value)));

export function step(points, margin, circle) {
  const { gradients } = measure(points, margin, circle);
  return places(points, circle).map((x, i) => {
    const moved = minus(x, times(RATE, gradients[i]));
    return circle ? onCircle(moved) : clip(moved);
  });
}

// ---- the drawing --------------------------------------------------------------------------------------

const px = (x) => [(x[0] + LIMIT[0]) * UNIT, (LIMIT[1] - x[1]) * UNIT];

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

let views = 0;

function render({ model, el }) {
  const texts = model.get("texts");
  // In the course's language; {0}, {1}, … are places for values.
  const say = (text, ...values) => (texts[text] ?? text).replace(/\{(\d)\}/g, (_, place) => values[place]);
  const id = `facelab-triplet-${views++}`; // patterns and clips are found by id, which the page shares
  const root = html("div", "", el);
  root.className = "facelab-triplet";
  root.dataset.lmSuppressShortcuts = "true"; // arrow keys are ours, not JupyterLab's, while a point has focus

  // Controls.
  const row = html("div", "", root);
  row.className = "controls";
  const label = html("label", `${say("margin α")} `, row);
  const slider = html("input", "", label);
  Object.assign(slider, { type: "range", min: 0, max: 1, step: 0.05 });
  slider.setAttribute("aria-label", say("margin α"));
  const readout = html("output", "", label);
  const tickLabel = html("label", "", row);
  const tick = html("input", "", tickLabel);
  tick.type = "checkbox";
  tickLabel.append(` ${say("on the unit circle")}`);
  const stepButton = html("button", say("One step"), row);
  stepButton.title = say("Each point follows its arrow: one step of gradient descent");
  const reset = html("button", say("Reset"), row);

  // The picture: from back to front.
  const [width, height] = times(2 * UNIT, LIMIT);
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "group" }, root);
  const what = say("Anchor, positive and negative. Tab goes to a point, arrow keys move it.");
  svg.setAttribute("aria-label", what);
  const defs = make("defs", {}, svg);
  const hatch = make("pattern", { id: `${id}-hatch`, width: 14, height: 14, patternUnits: "userSpaceOnUse" }, defs);
  make("path", { d: "M0,14 L14,0", class: "hatch" }, hatch);
  const dots = make("pattern", { id: `${id}-dots`, width: 14, height: 14, patternUnits: "userSpaceOnUse" }, defs);
  make("circle", { cx: 7, cy: 7, r: 1.6, class: "dots" }, dots);
  for (const name of NAMES) {
    const head = { id: `${id}-${name}`, viewBox: "0 0 10 10", refX: 8, refY: 5, markerWidth: 4.5, markerHeight: 4.5 };
    const marker = make("marker", { ...head, orient: "auto-start-reverse", class: name }, defs);
    make("path", { d: "M0,0 L10,5 L0,10 z" }, marker);
  }
  make("rect", { width, height, class: "easy" }, svg);
  const discs = ["semi-hard", "hard"].map((kind) => {
    const pattern = kind === "hard" ? "hatch" : "dots";
    const plain = make("circle", { class: kind }, svg);
    const over = make("circle", { fill: `url(#${id}-${pattern})`, class: "over" }, svg);
    return [plain, over];
  });
  const circle = make("circle", { r: UNIT, class: "unit" }, svg);
  set(circle, { cx: px([0, 0])[0], cy: px([0, 0])[1] });
  const lines = ["positive", "negative"].map((name) => make("line", { class: `line ${name}` }, svg));
  const tags = ["positive", "negative"].map((name) => make("text", { class: `tag ${name}` }, svg));
  const arrows = NAMES.map((name) =>
    make("line", { class: `arrow ${name}`, "marker-end": `url(#${id}-${name})` }, svg),
  );
  const groups = NAMES.map((name) => {
    const group = make("g", { class: `point ${name}`, tabindex: 0, role: "button", "data-point": name }, svg);
    make("circle", { r: 24, class: "halo" }, group);
    if (name === "anchor") make("circle", { r: 15, class: "mark" }, group);
    if (name === "positive") make("rect", { x: -14, y: -14, width: 28, height: 28, class: "mark" }, group);
    if (name === "negative") make("path", { d: "M0,-18 L18,0 L0,18 L-18,0 z", class: "mark" }, group);
    make("text", { class: "letter" }, group).textContent = LETTERS[name];
    return group;
  });

  // Words.
  const legend = html("div", "", root);
  legend.className = "legend";
  for (const [kind, meaning] of [
    ["hard", "d2 ≤ d1"],
    ["semi-hard", "d1 < d2 < d1 + α"],
    ["easy", say("d2 ≥ d1 + α: loss 0")],
  ]) {
    const item = html("span", "", legend);
    html("i", "", item).className = kind;
    item.append(` ${kind} (${meaning})`);
  }
  const status = html("div", "", root);
  status.className = "status";
  status.setAttribute("role", "status");
  const alert = html("div", "", root);

  const points = () => NAMES.map((name) => model.get(name));
  let waiting = false;
  function save() {
    if (waiting) return; // one message to Python for each frame, not for each movement of the mouse
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      model.save_changes();
    });
  }

  function place(name, x) {
    model.set(name, model.get("circle") ? onCircle(x) : clip(x));
    save();
  }

  const called = [say("anchor"), say("positive"), say("negative")];

  function draw() {
    const margin = model.get("margin");
    const around = model.get("circle");
    const m = measure(points(), margin, around);
    const at = places(points(), around);
    const [a, p, n] = at.map(px);
    slider.value = margin;
    readout.textContent = margin.toFixed(2);
    tick.checked = around;
    circle.style.display = around ? "" : "none";
    [Math.sqrt(m.d1 + margin), Math.sqrt(m.d1)].forEach((radius, i) => {
      for (const disc of discs[i]) set(disc, { cx: a[0], cy: a[1], r: radius * UNIT });
    });
    [p, n].forEach((end, i) => {
      set(lines[i], { x1: a[0], y1: a[1], x2: end[0], y2: end[1] });
      set(tags[i], { x: (a[0] + end[0]) / 2, y: (a[1] + end[1]) / 2 - 8 });
      tags[i].textContent = `d${i + 1} = ${[m.d1, m.d2][i].toFixed(2)}`;
    });
    at.forEach((x, i) => {
      const from = px(x);
      const to = px(minus(x, times(RATE, m.gradients[i])));
      const moves = Math.hypot(...m.gradients[i]) > 1e-9;
      arrows[i].style.display = moves ? "" : "none";
      set(arrows[i], { x1: from[0], y1: from[1], x2: to[0], y2: to[1] });
      set(groups[i], { transform: `translate(${from[0]}, ${from[1]})` });
      const where = x.map((value) => value.toFixed(2)).join(", ");
      groups[i].setAttribute("aria-label", say("{0} at ({1}). Arrow keys move it.", called[i], where));
    });
    const lengths = m.gradients.map((g) => Math.hypot(...g).toFixed(2));
    status.replaceChildren();
    const first = html("div", "", status);
    first.append(`d1 = ${m.d1.toFixed(2)}   d2 = ${m.d2.toFixed(2)}   α = ${margin.toFixed(2)}   `);
    html("b", say("loss = max(0, d1 − d2 + α) = {0}", m.loss.toFixed(2)), first);
    html("span", m.kind, first).className = `kind ${m.kind}`;
    html("div", say("length of the gradient: a {0}, p {1}, n {2}", ...lengths), status);
  }

  function redraw() {
    try {
      draw();
      alert.replaceChildren();
      alert.removeAttribute("role");
      report(null);
    } catch (error) {
      alert.setAttribute("role", "alert");
      alert.textContent = `⚠ ${say("This change could not be drawn.")} ${error}`;
      report(String(error));
    }
  }

  function report(message) {
    if (model.get("error") === message) return;
    model.set("error", message);
    save();
  }

  // Mouse and finger.
  groups.forEach((group, i) => {
    const where = (event) => {
      const box = svg.getBoundingClientRect();
      return [
        ((event.clientX - box.left) / box.width) * 2 * LIMIT[0] - LIMIT[0],
        LIMIT[1] - ((event.clientY - box.top) / box.height) * 2 * LIMIT[1],
      ];
    };
    let grip = null; // from the pointer to the point's middle, so that it does not jump when taken
    group.addEventListener("pointerdown", (event) => {
      group.setPointerCapture(event.pointerId);
      group.focus();
      grip = minus(places(points(), model.get("circle"))[i], where(event));
      event.preventDefault();
    });
    group.addEventListener("pointermove", (event) => {
      if (grip === null) return;
      const x = where(event);
      place(NAMES[i], [x[0] + grip[0], x[1] + grip[1]]);
    });
    for (const end of ["pointerup", "pointercancel"]) group.addEventListener(end, () => (grip = null));

    // Keyboard. On the circle: left and up turn counter-clockwise, right and down clockwise.
    group.addEventListener("keydown", (event) => {
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      if (!(event.key in ways)) return;
      const way = times(event.shiftKey ? 5 * NUDGE : NUDGE, ways[event.key]);
      const x = places(points(), model.get("circle"))[i];
      const turn = way[1] - way[0];
      const circled = [Math.cos(turn) * x[0] - Math.sin(turn) * x[1], Math.sin(turn) * x[0] + Math.cos(turn) * x[1]];
      place(NAMES[i], model.get("circle") ? circled : [x[0] + way[0], x[1] + way[1]]);
      event.preventDefault();
      event.stopPropagation();
    });
  });

  slider.addEventListener("input", () => {
    model.set("margin", Number(slider.value));
    save();
  });
  tick.addEventListener("change", () => {
    model.set("circle", tick.checked);
    save();
  });
  const all = (places) => {
    model.set(Object.fromEntries(NAMES.map((name, i) => [name, places[i]])));
    save();
  };
  stepButton.addEventListener("click", () => all(step(points(), model.get("margin"), model.get("circle"))));
  reset.addEventListener("click", () => {
    model.set({ margin: 0.2, circle: false });
    all(NAMES.map((name) => START[name]));
  });

  // The notebook takes the keys of whatever it holds; Tab is left to it, so that one gets out again.
  root.addEventListener("keydown", (event) => event.key.startsWith("Arrow") && event.stopPropagation());

  const watched = [...NAMES, "margin", "circle"].map((name) => `change:${name}`).join(" ");
  model.on(watched, redraw);
  redraw();
  return () => model.off(watched, redraw);
}

export default { render };
