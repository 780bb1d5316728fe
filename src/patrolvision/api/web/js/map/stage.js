/** The map with its controls: zoom, layers, scale; drawn by WebGL, or on a plain canvas without it. */

import { el, icon, put, svg } from "../dom.js";
import { distance, t } from "../i18n.js";
import { CATEGORIES, categoryName } from "../words.js";
import { groundKeeper } from "./ground.js";
import { plainMap } from "./plain.js";

const SWITCHES = ["coverage", "looked", "grids", "segments", "zones", "crews"];

const IMITATED = /swiftshader|llvmpipe|software|basic render/i; // WebGL by the processor: slower than a canvas

/** Is WebGL worth using here? ?map=gl and ?map=plain decide; tiles need it. */
function hasWebGL(needsTiles) {
  const wish = new URLSearchParams(location.search).get("map");
  if (wish === "plain") return false;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("webgl2") ?? canvas.getContext("webgl");
  if (!context) return false;
  const told = context.getExtension("WEBGL_debug_renderer_info");
  const renderer = told ? String(context.getParameter(told.UNMASKED_RENDERER_WEBGL)) : "";
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return wish === "gl" || needsTiles || !IMITATED.test(renderer);
}

async function drawn(box, options) {
  if (hasWebGL(Boolean(options.tiles))) {
    try {
      const { glMap } = await import("./gl.js");
      return await glMap(box, options);
    } catch (error) {
      console.warn("map: drawing without WebGL:", error.message);
      put(box);
    }
  }
  return plainMap(box, options);
}

function scaleBar(node, map) {
  const [w, s, e, n] = map.bounds();
  const width = node.parentElement.clientWidth || 1;
  const across_m = (e - w) * 111_319.5 * Math.cos((((s + n) / 2) * Math.PI) / 180);
  const goal = (across_m / width) * 110;
  const power = 10 ** Math.floor(Math.log10(goal));
  const length_m = [5, 2, 1].map((k) => k * power).find((l) => l <= goal) ?? power;
  put(node, distance(length_m), el("i", { css: { width: `${(length_m / across_m) * width}px` } }));
}

function legend() {
  const line = (css, words) => el("li", {}, svg("svg", { width: 18, height: 12, class: css, "aria-hidden": "true" }, svg("rect", { x: 1, y: 1, width: 16, height: 10, rx: 2 })), words);
  return el("ul", { class: "legend" },
    CATEGORIES.map((c) => el("li", { class: c }, el("i", { class: "dot", "aria-hidden": "true" }), categoryName(c))),
    line("legend-day", t("looked.day")), line("legend-week", t("looked.week")), line("legend-long", t("looked.long")),
    line("legend-ellipse", t("legend.ellipse")), line("legend-looked", t("layer.coverage")), line("legend-zone", t("layer.zones")));
}

/** A map in `node`; answers the map with `refreshGround` and `draw` (an area by hand). */
export async function stage(node, { tiles, moved, pick }) {
  const box = el("div", { class: "map-box", role: "region", "aria-label": t("map.label") });
  const scale = el("div", { class: "map-scale num", "aria-hidden": "true" });
  const hint = el("div", { class: "map-hint", role: "status", hidden: true });
  const hidden = new Set(JSON.parse(localStorage.getItem("pv-hidden-layers") ?? '["looked"]'));
  let drawing = null; // { ring, done }
  let map = null;
  let ground = () => {};

  put(node, box, scale, hint);
  const settled = () => {
    if (!map) return;
    scaleBar(scale, map);
    ground({ hidden });
    moved();
  };
  const showRing = (ring) => map.set("area", { type: "FeatureCollection", features: ring.length < 2 ? [] : [{ type: "Feature", properties: {}, geometry: ring.length > 2 ? { type: "Polygon", coordinates: [[...ring, ring[0]]] } : { type: "LineString", coordinates: ring } }] });
  const place = (lon, lat) => {
    if (!drawing) return false;
    drawing.ring.push([lon, lat]);
    showRing(drawing.ring);
    return true;
  };
  function finish(keep) {
    const { ring, done } = drawing;
    drawing = null;
    hint.hidden = true;
    map.aim(false);
    if (keep && ring.length > 2) done(ring);
    else showRing([]);
  }

  map = await drawn(box, { tiles, onMove: settled, onPick: pick, onPlace: place });
  ground = groundKeeper(map);
  for (const name of hidden) map.show(name, false);

  const control = (name, label, act) => el("button", { type: "button", class: "square", "aria-label": label, title: label, on: { click: act } }, icon(name));
  const switches = el("div", { id: "layer-menu", popover: "auto", class: "menu layer-menu" },
    el("h3", {}, t("layers")),
    SWITCHES.map((name) => el("label", { class: "check" }, el("input", {
      type: "checkbox", checked: !hidden.has(name), data: { layer: name }, on: { change: (e) => {
        if (e.target.checked) hidden.delete(name); else hidden.add(name);
        localStorage.setItem("pv-hidden-layers", JSON.stringify([...hidden]));
        map.show(name, e.target.checked);
        ground({ hidden });
      } } }), t(`layer.${name}`))),
    legend());
  node.append(el("div", { class: "map-controls" },
    control("plus", t("map.in"), () => map.zoomBy(1)), control("minus", t("map.out"), () => map.zoomBy(-1)),
    el("button", { type: "button", class: "square", "aria-label": t("layers"), title: t("layers"), popovertarget: "layer-menu" }, icon("layers"))), switches);
  scaleBar(scale, map);
  ground({ hidden });

  return Object.assign(map, {
    refreshGround: () => ground({ hidden, force: true }),
    showArea: (ring) => showRing(ring ?? []),
    draw(done) {
      drawing = { ring: [], done };
      map.aim(true);
      hint.hidden = false;
      put(hint, t("filter.area.how"), el("button", { type: "button", class: "primary", on: { click: () => finish(true) } }, t("filter.area.done")), el("button", { type: "button", on: { click: () => finish(false) } }, t("cancel")));
    },
  });
}
