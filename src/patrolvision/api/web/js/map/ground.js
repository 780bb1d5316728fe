/** The map's own ground: cells, roads, kerb rules and what was looked at, asked for by the box in view where the map does not fetch
 * them as tiles itself. */

import { get } from "../api.js";
import { boxAround, graticule } from "../geometry.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const WORLD = [-180, -90, 180, 90];
const ogc = (layer) => (bbox, signal) => get(`/ogc/collections/${layer}/items`, { bbox, limit: 1000 }, { signal, quiet: true });

const LAYERS = {
  grids: { from: 13, ask: async (bbox, signal, zoom) => joined(await Promise.all([zoom >= 14.5 ? named("unit")(bbox, signal) : EMPTY, named("responsible")(bbox, signal)])) },
  segments: { from: 12, ask: ogc("segments") },
  zones: { from: 14, ask: ogc("zones") },
  coverage: { from: 13, ask: ogc("coverage") },
  looked: { from: 0, isWhole: true, ask: lookedRoads },
};

/** Every road segment with how long ago a patrol looked at it: within a day, a week, or longer. */
async function lookedRoads(bbox, signal) {
  const found = await get("coverage/segment", { format: "geojson" }, { signal, quiet: true });
  for (const { properties } of found.features) {
    const days = (Date.now() - new Date(properties.last_looked_at ?? 0)) / 86_400_000;
    properties.age = days < 1 ? "day" : days < 7 ? "week" : "long";
  }
  return found;
}

const named = (layer) => async (bbox, signal) => {
  const found = await ogc(`${layer}_grids`)(bbox, signal);
  for (const f of found.features) f.properties.layer = layer;
  return found;
};
const joined = (parts) => ({ type: "FeatureCollection", features: parts.flatMap((p) => p.features) });
const wider = ([w, s, e, n]) => [w - (e - w) / 2, s - (n - s) / 2, e + (e - w) / 2, n + (n - s) / 2];
const within = (a, b) => b && a[0] >= b[0] && a[1] >= b[1] && a[2] <= b[2] && a[3] <= b[3];

/** Keeps the ground of a map up to date; call it whenever the map has moved. */
export function groundKeeper(map) {
  const held = {}; // name -> { box, step }
  const asking = {};

  async function ask(name, box, zoom) {
    asking[name]?.abort();
    asking[name] = new AbortController();
    try {
      const found = await LAYERS[name].ask(boxAround(box).map((d) => d.toFixed(6)).join(","), asking[name].signal, zoom);
      held[name] = { box, step: Math.floor(zoom * 2) };
      map.set(name, found);
    } catch (error) {
      if (error.name !== "AbortError" && error.status === undefined) throw error;
    }
  }

  return function update({ hidden = new Set(["looked"]), force = false } = {}) {
    const bounds = map.bounds();
    const zoom = map.zoom();
    map.set("graticule", graticule(bounds));
    for (const [name, layer] of Object.entries(LAYERS)) {
      if (hidden.has(name) || map.own.has(name)) continue;
      if (zoom < layer.from) { if (held[name]) { map.set(name, EMPTY); held[name] = null; } continue; }
      const isHeld = within(bounds, held[name]?.box) && (name !== "grids" || held[name].step >= 29 || zoom < 14.5);
      if (force || !isHeld) ask(name, layer.isWhole ? WORLD : wider(bounds), zoom);
    }
  };
}
