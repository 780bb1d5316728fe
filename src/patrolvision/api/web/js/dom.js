/** Elements without markup: whatever a person or a camera wrote reaches the page as text, never as HTML. */

const SVG = "http://www.w3.org/2000/svg";

function give(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") for (const [type, act] of Object.entries(value)) node.addEventListener(type, act);
  else if (name === "class") node.setAttribute("class", value);
  else if (name === "data") Object.assign(node.dataset, value);
  else if (name === "css") for (const [key, v] of Object.entries(value)) node.style.setProperty(key, v);
  else if (name === "value") node.value = value;
  else if (name === "checked") node.checked = value;
  else node.setAttribute(name, value === true ? "" : String(value));
}

function fill(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** An HTML element; children are nodes or plain text, `value` is set once its children are there. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  const { value, ...rest } = props;
  for (const [name, given] of Object.entries(rest)) give(node, name, given);
  fill(node, children);
  give(node, "value", value);
  return node;
}

/** An SVG element. */
export function svg(tag, props = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, given] of Object.entries(props)) give(node, name, given);
  return fill(node, children);
}

/** Replace what is inside a node. */
export function put(node, ...children) {
  node.replaceChildren();
  return fill(node, children);
}

const PATHS = {
  map: "M3 6l5-2 4 2 5-2v10l-5 2-4-2-5 2zM8 4v10M12 6v10",
  review: "M4 4h12v12H4zM7 10l2 2 4-4",
  chart: "M4 16V9M9 16V4M14 16v-5M3 16h14",
  crew: "M3 13V7h8v6M11 9h3l3 3v1M3 13h14M6 15.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3M14 15.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3",
  close: "M5 5l10 10M15 5L5 15",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11M13 13l4 4",
  filter: "M3 5h14M6 10h8M8.5 15h3",
  sun: "M10 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1 1M14.7 14.7l1 1M4.3 15.7l1-1M14.7 5.3l1-1",
  moon: "M16 11.5A6.5 6.5 0 0 1 8.5 4a6.5 6.5 0 1 0 7.5 7.5Z",
  auto: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  user: "M10 10a3.2 3.2 0 1 0 0-6.4A3.2 3.2 0 0 0 10 10M4 17c.5-3 2.8-4.5 6-4.5s5.5 1.5 6 4.5",
  layers: "M10 3l7 4-7 4-7-4zM3 11l7 4 7-4",
  plus: "M10 4v12M4 10h12",
  minus: "M4 10h12",
  fit: "M4 8V4h4M12 4h4v4M16 12v4h-4M8 16H4v-4",
  camera: "M3 6.5h3l1.5-2h5l1.5 2h3v9H3zM10 13.5a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4",
  check: "M4 10.5l4 4 8-9",
  clock: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14M10 6v4l3 2",
  pin: "M10 17.5s5.5-5 5.5-9a5.5 5.5 0 1 0-11 0c0 4 5.5 9 5.5 9M10 10.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4",
  bell: "M5 13.5V9a5 5 0 0 1 10 0v4.5l1.5 1.5h-13zM8.5 17h3",
  back: "M12 4l-6 6 6 6",
  next: "M8 4l6 6-6 6",
  area: "M4 6l8-2 4 6-5 6-7-3z",
  send: "M3 10l14-6-5 13-3-5z",
  route: "M5 16a2 2 0 1 0 0-4 2 2 0 0 0 0 4M15 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4M7 14h5a3 3 0 0 0 0-6H9a2.5 2.5 0 0 1 0-5h3",
  offline: "M3 3l14 14M6 9.5A6 6 0 0 1 9 8M3.5 7A10 10 0 0 1 7 4.8M14 9.5a6 6 0 0 0-2-1.2M16.5 7A10 10 0 0 0 9.5 4M10 15h.01",
  doc: "M5 3h7l3 3v11H5zM12 3v3h3M7.5 10h5M7.5 13h5",
  fire: "M10 17.5c3 0 5-2 5-4.8C15 9 11.5 7.5 11 3c-2.5 1.5-3.2 4-3 6-1-.5-1.5-1.5-1.5-2.5C5.5 8 5 10.5 5 12.7c0 2.8 2 4.8 5 4.8Z",
  parking: "M7.5 16V4.5h3.8a3.4 3.4 0 0 1 0 6.8H7.5",
  litter: "M5 6h10M8 6V4.2h4V6M6.2 6l.7 10h6.2l.7-10M8.7 9v4M11.3 9v4",
  road: "M7.5 3L4 17M12.5 3L16 17M10 4v2.5M10 9v2.5M10 14v2.5",
  cover: "M10 16.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13M6.5 8h7M6 10.2h8M6.5 12.4h7",
  lamp: "M10 17V8.5M7 17h6M5.5 8.5h9L12.5 4h-5z",
  sign: "M9 17.5v-6M4.5 4.5h8L16 8l-3.5 3.5h-8z",
  water: "M10 3c3.2 4 4.8 6.3 4.8 8.7a4.8 4.8 0 0 1-9.6 0C5.2 9.3 6.8 7 10 3Z",
  tree: "M10 17.5V13.5M10 3l4 5h-2.3l3.3 5.5H5L8.3 8H6z",
  rubble: "M2.5 16h15l-4-8.5-3 4.5L8 9z",
  paint: "M4 16v-3.5L12.5 4 16 7.5 7.5 16zM10.500 6l3.5 3.5",
  stall: "M4 8.5L5.2 4h9.6L16 8.5zM5.5 8.5V16h9V8.5M5.5 12.5h9",
  car: "M3 13.5V10l2-4.5h10l2 4.5v3.5zM3 10h14M5.5 13.5V16M14.5 13.5V16",
  sound: "M3.5 8v4H6l4 3.5v-11L6 8zM13 7.5a3.6 3.6 0 0 1 0 5M15 5.5a6.5 6.5 0 0 1 0 9",
  people: "M7 9.500a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4M2.5 16c.4-2.6 2-4 4.5-4s4.1 1.4 4.5 4M13 9.500a2.3 2.3 0 1 0-.6-4.5M13.5 12c2.200.1 3.6 1.4 4 4",
  undo: "M4 8h8a4 4 0 0 1 0 8H8M4 8l3.5-3.5M4 8l3.5 3.5",
};

/** The path of a line drawing, in a box of 20 by 20. */
export const drawing = (name) => PATHS[name] ?? "";

/** A small line drawing; it says nothing to a screen reader. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, svg("path", { d: PATHS[name] ?? "" }));
}

/** A short message at the foot of the page; `act` gives it a button. */
export function toast(text, { bad = false, label = null, act = null, seconds = 5 } = {}) {
  const box = document.getElementById("toasts");
  const node = el("div", { class: `toast${bad ? " bad" : ""}` }, el("span", { class: "grow" }, text));
  const gone = () => node.remove();
  if (act) node.append(el("button", { type: "button", on: { click: () => { gone(); act(); } } }, label));
  box.append(node);
  while (box.children.length > 3) box.firstChild.remove();
  setTimeout(gone, seconds * 1000);
  return gone;
}

/** Call `act` once things have been quiet for `ms`. */
export function calm(act, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...args), ms);
  };
}
