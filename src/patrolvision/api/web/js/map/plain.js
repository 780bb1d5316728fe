/** The map on a plain canvas, for browsers without WebGL; offers what map/gl.js offers. */

import { colour, onTheme } from "../theme.js";
import { drawCluster, drawCrew, drawDot, drawPin, drawWords, tokenOf } from "./pins.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const TILE = 512; // pixels of the world at zoom 0, as in MapLibre

const xOf = (lon) => (lon + 180) / 360;
const yOf = (lat) => 0.5 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / (2 * Math.PI);
const lonOf = (x) => x * 360 - 180;
const latOf = (y) => (Math.atan(Math.sinh((0.5 - y) * 2 * Math.PI)) * 180) / Math.PI;

function rings(geometry) {
  const c = geometry.coordinates;
  return { Polygon: c, MultiPolygon: c.flat(), LineString: [c], MultiLineString: c }[geometry.type] ?? [];
}

/** A map in `box`. */
export function plainMap(box, { onMove, onPick, onPlace }) {
  const canvas = document.createElement("canvas");
  canvas.className = "plain-map";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  box.replaceChildren(canvas);
  const pen = canvas.getContext("2d");
  const held = {};
  const hidden = new Set();
  const view = { x: xOf(113.2297), y: yOf(22.8399), zoom: 15 };
  const spots = [];
  let size = [1, 1];
  let asked = 0;

  const scale = () => TILE * 2 ** view.zoom;
  const toPage = ([lon, lat]) => [(xOf(lon) - view.x) * scale() + size[0] / 2, (yOf(lat) - view.y) * scale() + size[1] / 2];
  const toGround = (px, py) => [lonOf((px - size[0] / 2) / scale() + view.x), latOf((py - size[1] / 2) / scale() + view.y)];

  function trace(geometry, { fill, edge, width = 1, alpha = 1, dash = [] }) {
    pen.beginPath();
    for (const ring of rings(geometry)) ring.forEach((corner, k) => (k ? pen.lineTo(...toPage(corner)) : pen.moveTo(...toPage(corner))));
    if (fill) { pen.globalAlpha = alpha; pen.fillStyle = fill; pen.fill(); pen.globalAlpha = 1; }
    if (edge) { pen.strokeStyle = edge; pen.lineWidth = width; pen.setLineDash(dash); pen.lineJoin = pen.lineCap = "round"; pen.stroke(); pen.setLineDash([]); }
  }
  const each = (name, act) => { if (!hidden.has(name)) for (const f of (held[name] ?? EMPTY).features) if (f.geometry) act(f); };

  function drawGround() {
    const [cell, strong, looked] = [colour("map-cell"), colour("map-cell-strong"), colour("map-looked")];
    const road = Math.max(1.2, 56 * 2 ** (view.zoom - 20));
    each("graticule", (f) => trace(f.geometry, { edge: cell, width: 0.5 }));
    each("segments", (f) => trace(f.geometry, { edge: colour("map-road-edge"), width: road + 2 }));
    each("segments", (f) => trace(f.geometry, { edge: colour("map-road"), width: road }));
    each("looked", (f) => trace(f.geometry, { edge: colour({ day: "good", week: "warn" }[f.properties.age] ?? "fire"), width: 4 }));
    each("coverage", (f) => trace(f.geometry, { fill: looked, edge: looked, width: 0.4, alpha: 0.06 }));
    each("grids", (f) => trace(f.geometry, f.properties.layer === "unit" ? { edge: cell } : { edge: strong, width: 1.4, dash: [6, 4] }));
    each("zones", (f) => trace(f.geometry, { fill: colour("zone"), edge: colour("zone"), alpha: 0.12 }));
    each("ellipse", (f) => trace(f.geometry, { fill: colour(tokenOf(f.properties.category)), edge: colour(tokenOf(f.properties.category)), width: 1.6, alpha: 0.18 }));
    each("area", (f) => trace(f.geometry, { fill: colour("accent"), edge: colour("accent"), width: 1.6, alpha: 0.07, dash: [6, 4] }));
  }

  function drawSpots() {
    spots.length = 0;
    each("selected", (f) => {
      if (view.zoom >= 18) return; // there the ellipse shows it
      pen.beginPath();
      pen.arc(...toPage(f.geometry.coordinates), 21, 0, 7);
      pen.strokeStyle = colour("ink");
      pen.lineWidth = 2;
      pen.stroke();
    });
    each("crews", (f) => drawCrew(pen, ...toPage(f.geometry.coordinates), { name: f.properties.name, isFresh: f.properties.is_fresh }));
    each("points", (f) => {
      const [x, y] = toPage(f.geometry.coordinates);
      const p = f.properties;
      if (p.count > 1) drawCluster(pen, x, y, p.count);
      else if (p.picture?.startsWith("dot|")) drawDot(pen, x, y, p.category);
      else drawPin(pen, x, y, { category: p.category, state: p.state, urgent: p.priority === "urgent" });
      spots.push({ x, y, f });
    });
  }

  function words() {
    if (view.zoom < 16.5) return;
    each("grids", (f) => {
      if (f.properties.layer !== "unit" || f.geometry.type !== "Polygon") return;
      const ring = f.geometry.coordinates[0].slice(0, -1).map(toPage);
      drawWords(pen, ring.reduce((sum, c) => sum + c[0], 0) / ring.length, ring.reduce((sum, c) => sum + c[1], 0) / ring.length, f.properties.code ?? "");
    });
  }

  function draw() {
    asked = 0;
    const ratio = window.devicePixelRatio || 1;
    size = [box.clientWidth, box.clientHeight];
    canvas.width = size[0] * ratio;
    canvas.height = size[1] * ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = colour("map-ground");
    pen.fillRect(0, 0, ...size);
    drawGround();
    words();
    drawSpots();
  }
  const soon = () => { asked ||= requestAnimationFrame(draw); };

  let settled = 0;
  function moved() {
    soon();
    clearTimeout(settled);
    settled = setTimeout(onMove, 120);
  }
  function zoomAt(px, py, steps) {
    const [lon, lat] = toGround(px, py);
    view.zoom = Math.min(22, Math.max(2, view.zoom + steps));
    view.x = xOf(lon) - (px - size[0] / 2) / scale();
    view.y = yOf(lat) - (py - size[1] / 2) / scale();
    moved();
  }

  const fingers = new Map();
  let dragged = 0;
  canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); fingers.set(e.pointerId, e); dragged = 0; });
  canvas.addEventListener("pointermove", (e) => {
    const last = fingers.get(e.pointerId);
    if (!last) return;
    const [dx, dy] = [e.clientX - last.clientX, e.clientY - last.clientY];
    if (fingers.size === 2) {
      const other = [...fingers.values()].find((f) => f.pointerId !== e.pointerId);
      const gap = (a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY) || 1;
      const frame = canvas.getBoundingClientRect();
      zoomAt((e.clientX + other.clientX) / 2 - frame.left, (e.clientY + other.clientY) / 2 - frame.top, Math.log2(gap(e) / gap(last)));
    } else { view.x -= dx / scale(); view.y -= dy / scale(); moved(); }
    dragged += Math.hypot(dx, dy);
    fingers.set(e.pointerId, e);
  });
  const lift = (e) => fingers.delete(e.pointerId);
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("wheel", (e) => { e.preventDefault(); zoomAt(e.offsetX, e.offsetY, -e.deltaY / 240); }, { passive: false });
  canvas.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (step) { view.x += (step[0] * 80) / scale(); view.y += (step[1] * 80) / scale(); moved(); }
    else if (e.key === "+" || e.key === "=") zoomAt(size[0] / 2, size[1] / 2, 1);
    else if (e.key === "-") zoomAt(size[0] / 2, size[1] / 2, -1);
    else return;
    e.preventDefault();
  });
  canvas.addEventListener("click", (e) => {
    if (dragged > 6) return;
    if (onPlace?.(...toGround(e.offsetX, e.offsetY))) return;
    const hit = [...spots].reverse().find((s) => Math.hypot(s.x - e.offsetX, s.y - e.offsetY) < (s.f.properties.count > 1 ? 22 : 15));
    if (hit) onPick({ ...hit.f.properties, lon: hit.f.geometry.coordinates[0], lat: hit.f.geometry.coordinates[1] });
  });
  const quiet = onTheme(soon);
  const sized = new ResizeObserver(soon);
  sized.observe(box);
  draw();

  const go = (lon, lat, zoom, { left = 0, right = 0, top = 0, bottom = 0 } = {}) => {
    view.zoom = zoom;
    view.x = xOf(lon) + (right - left) / 2 / scale();
    view.y = yOf(lat) + (bottom - top) / 2 / scale();
    moved();
  };
  return {
    kind: "plain",
    own: new Set(),
    set(name, data) { held[name] = data; soon(); },
    show(name, visible) { if (visible) hidden.delete(name); else hidden.add(name); soon(); },
    bounds() { const [w, n] = toGround(0, 0); const [e, s] = toGround(...size); return [Math.max(w, -180), Math.max(s, -85), Math.min(e, 180), Math.min(n, 85)]; },
    zoom: () => view.zoom,
    zoomBy: (steps) => zoomAt(size[0] / 2, size[1] / 2, steps),
    fit([w, s, e, n], { padding = 60, maxZoom = 19 } = {}) {
      const pad = typeof padding === "number" ? { left: padding, right: padding, top: padding, bottom: padding } : padding;
      const room = [Math.max(80, size[0] - pad.left - pad.right), Math.max(80, size[1] - pad.top - pad.bottom)];
      const zoom = Math.min(Math.log2(room[0] / TILE / (xOf(e) - xOf(w))), Math.log2(room[1] / TILE / (yOf(s) - yOf(n))));
      go((w + e) / 2, latOf((yOf(s) + yOf(n)) / 2), Math.min(maxZoom, zoom), pad);
    },
    fly: go,
    aim: (on) => { canvas.style.cursor = on ? "crosshair" : ""; },
    remove() { quiet(); sized.disconnect(); clearTimeout(settled); },
  };
}
