/** The map drawn by MapLibre GL; offers what map/plain.js offers. */

import { colour, onTheme } from "../theme.js";
import { pictureOf } from "./pins.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const NAMES = ["graticule", "zones", "ellipse", "area", "crews", "points", "selected", "looked"];
const TILED = ["coverage", "grids", "segments"]; // these come as vector tiles, so that a whole city is light
const tiled = (name, minzoom, maxzoom) => ({ type: "vector", tiles: [`${location.origin}/api/v1/tiles/${name}/{z}/{x}/{y}.mvt`], minzoom, maxzoom });

function loadLibrary() {
  if (window.maplibregl) return Promise.resolve(window.maplibregl);
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "/web/vendor/maplibre-gl.js";
    script.onload = () => done(window.maplibregl);
    script.onerror = () => failed(new Error("maplibre-gl.js"));
    document.head.append(script);
  });
}

const line = (id, source, paint, extra = {}) => ({ id, source, type: "line", paint, layout: { "line-join": "round", "line-cap": "round" }, ...extra });
const area = (id, source, paint, extra = {}) => ({ id, source, type: "fill", paint, ...extra });
const byCategory = () => ["match", ["get", "category"], "open_fire", colour("fire"), "illegal_parking", colour("parking"), "litter", colour("litter"), colour("accent")];
const grow = (from, a, to, b) => ["interpolate", ["exponential", 2], ["zoom"], from, a, to, b];

function layers(hasTiles) {
  const ring = ["match", ["get", "rule"], "parking_allowed", colour("good"), "fire_ok", colour("soft"), "ignore", colour("soft"), colour("zone")];
  return [
    { id: "ground", type: "background", paint: { "background-color": colour("map-ground") } },
    ...(hasTiles ? [{ id: "tiles", source: "tiles", type: "raster" }] : []),
    line("graticule", "graticule", { "line-color": colour("map-cell"), "line-width": 0.6, "line-opacity": 0.5 }),
    line("road-edge", "grids", { "line-color": colour("map-road-edge"), "line-width": grow(12, 1.5, 20, 60) }, { "source-layer": "segment" }),
    line("road", "grids", { "line-color": colour("map-road"), "line-width": grow(12, 0.8, 20, 56) }, { "source-layer": "segment" }),
    line("looked", "looked", { "line-color": ["match", ["get", "age"], "day", colour("good"), "week", colour("warn"), colour("fire")], "line-width": 4, "line-opacity": 0.8 }),
    area("coverage", "coverage", { "fill-color": colour("map-looked"), "fill-opacity": 0.05 }, { "source-layer": "coverage" }),
    line("coverage-edge", "coverage", { "line-color": colour("map-looked"), "line-width": 0.8, "line-opacity": 0.35 }, { "source-layer": "coverage" }),
    line("cells", "grids", { "line-color": colour("map-cell"), "line-width": 1 }, { "source-layer": "unit", minzoom: 14 }),
    line("cells-strong", "grids", { "line-color": colour("map-cell-strong"), "line-width": 1.4, "line-dasharray": [4, 3] }, { "source-layer": "responsible" }),
    area("zones", "zones", { "fill-color": ring, "fill-opacity": 0.12 }, { minzoom: 14 }),
    line("zones-edge", "zones", { "line-color": ring, "line-width": 1 }, { minzoom: 14 }),
    { id: "cell-words", source: "grids", "source-layer": "unit", type: "symbol", minzoom: 16.5, layout: { "icon-image": ["concat", "words|", ["get", "code"]], "icon-padding": 32 } },
    area("ellipse", "ellipse", { "fill-color": byCategory(), "fill-opacity": 0.18 }),
    line("ellipse-edge", "ellipse", { "line-color": byCategory(), "line-width": 1.6 }),
    area("area", "area", { "fill-color": colour("accent"), "fill-opacity": 0.07 }),
    line("area-edge", "area", { "line-color": colour("accent"), "line-width": 1.6, "line-dasharray": [3, 2] }),
    { id: "selected", source: "selected", type: "circle", maxzoom: 18, paint: { "circle-radius": 21, "circle-color": "transparent", "circle-stroke-width": 2, "circle-stroke-opacity": 0.75, "circle-stroke-color": colour("ink") } },
    { id: "crews", source: "crews", type: "symbol", layout: { "icon-image": ["get", "picture"], "icon-allow-overlap": true } },
    { id: "points", source: "points", type: "symbol", layout: { "icon-image": ["get", "picture"], "icon-allow-overlap": true, "icon-ignore-placement": true, "symbol-sort-key": ["get", "rank"] } },
  ];
}

const PARTS = { coverage: ["coverage", "coverage-edge"], grids: ["cells", "cells-strong", "cell-words"], zones: ["zones", "zones-edge"], segments: ["road", "road-edge"], looked: ["looked"], crews: ["crews"], tiles: ["tiles"] };

/** A map in `box`; rejects where the browser has no WebGL. */
export async function glMap(box, { tiles, onMove, onPick, onPlace }) {
  const gl = await loadLibrary();
  const held = Object.fromEntries(NAMES.map((name) => [name, EMPTY]));
  const hidden = new Set();

  const style = () => {
    const sources = Object.fromEntries(NAMES.map((name) => [name, { type: "geojson", data: held[name], tolerance: 0.2 }]));
    sources.grids = tiled("grids", 8, 17);
    sources.coverage = tiled("coverage", 11, 17);
    if (tiles?.url) sources.tiles = { type: "raster", tiles: [tiles.url], tileSize: 256, maxzoom: tiles.max_zoom ?? 19, attribution: tiles.attribution ?? "" };
    return { version: 8, sources, layers: layers(Boolean(tiles?.url)) };
  };
  const map = new gl.Map({
    container: box, style: style(), center: [113.2297, 22.8399], zoom: 15, minZoom: 2, maxZoom: 22,
    attributionControl: tiles?.attribution ? { compact: true } : false,
    dragRotate: false, pitchWithRotate: false, touchPitch: false, fadeDuration: 0, refreshExpiredTiles: false,
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  const canvas = map.getCanvas();

  map.on("styleimagemissing", ({ id }) => {
    if (!map.hasImage(id)) map.addImage(id, ...pictureOf(id));
  });
  const applyHidden = () => {
    for (const [name, ids] of Object.entries(PARTS)) {
      for (const id of ids) if (map.getLayer(id)) map.setLayoutProperty(id, "visibility", hidden.has(name) ? "none" : "visible");
    }
  };
  const near = ({ x, y }) => map.queryRenderedFeatures([[x - 5, y - 5], [x + 5, y + 5]], { layers: ["points"] })[0];
  const spotOf = (feature) => ({ ...feature.properties, lon: feature.geometry.coordinates[0], lat: feature.geometry.coordinates[1] });
  map.on("click", (event) => {
    const hit = near(event.point);
    if (onPlace?.(event.lngLat.lng, event.lngLat.lat)) return;
    if (hit) onPick(spotOf(hit));
  });
  map.on("mousemove", (event) => { canvas.style.cursor = near(event.point) ? "pointer" : ""; });
  map.on("moveend", () => onMove());
  const quiet = onTheme(() => { map.setStyle(style(), { diff: false }); map.once("styledata", applyHidden); });
  await new Promise((done, failed) => {
    map.once("style.load", done);
    map.once("error", (event) => { if (!map.isStyleLoaded()) failed(event.error); });
  });
  applyHidden();
  const sized = new ResizeObserver(() => map.resize());
  sized.observe(box);

  return {
    kind: "gl",
    own: new Set(TILED),
    set(name, data) { held[name] = data; map.getSource(name)?.setData(data); },
    show(name, visible) { if (visible) hidden.delete(name); else hidden.add(name); applyHidden(); },
    bounds() { const b = map.getBounds(); return [Math.max(b.getWest(), -180), Math.max(b.getSouth(), -85), Math.min(b.getEast(), 180), Math.min(b.getNorth(), 85)]; },
    zoom: () => map.getZoom(),
    zoomBy: (steps) => map.zoomTo(map.getZoom() + steps),
    fit([w, s, e, n], { padding = 60, maxZoom = 19, jump = false } = {}) { map.fitBounds([[w, s], [e, n]], { padding, maxZoom, animate: !jump, duration: 500 }); },
    fly(lon, lat, zoom, padding = {}) { map.easeTo({ center: [lon, lat], zoom, padding, duration: 450 }); },
    aim: (on) => { canvas.style.cursor = on ? "crosshair" : ""; },
    remove() { quiet(); sized.disconnect(); map.remove(); }, // a browser has few WebGL contexts to give
  };
}
