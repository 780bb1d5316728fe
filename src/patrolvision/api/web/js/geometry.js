/** Small geometry on the ground: degrees in, degrees or metres out. Good to 0.1 % within 10 km. */

const METRES_PER_DEGREE = 111_319.5;
const MAP_END = 85; // degrees; Web Mercator, and with it every map here, ends at 85.05

/** The nearest latitude that a map shows: one thing at a pole must not leave the map without a place. */
export const shownLat = (lat) => Math.min(Math.max(lat, -MAP_END), MAP_END);

/** The box to ask for where a map shows [w, s, e, n]: none beyond ±180°, and at a map's end up to the pole, whose things it shows there. */
export const boxAround = ([w, s, e, n]) => [Math.max(w, -180), s <= -MAP_END ? -90 : s, Math.min(e, 180), n >= MAP_END ? 90 : n];

const lonScale = (lat) => METRES_PER_DEGREE * Math.cos((shownLat(lat) * Math.PI) / 180);

/** Half axes (m) and the angle (rad, from east to north) of the ellipse that holds 95 % (χ², 2 d.o.f.: 5.991). */
export function axes95([[ee, en], [, nn]]) {
  const mean = (ee + nn) / 2;
  const apart = Math.hypot((ee - nn) / 2, en);
  const chi = Math.sqrt(5.991);
  return {
    long_m: chi * Math.sqrt(Math.max(mean + apart, 0)),
    short_m: chi * Math.sqrt(Math.max(mean - apart, 0)),
    angle: Math.atan2(2 * en, ee - nn) / 2,
  };
}

/** The ring [[lon, lat], …] of the 95 % ellipse around a place. */
export function ellipse95(lat, lon, cov, corners = 64) {
  const { long_m, short_m, angle } = axes95(cov);
  const ring = [];
  for (let k = 0; k <= corners; k += 1) {
    const turn = (2 * Math.PI * k) / corners;
    const a = long_m * Math.cos(turn);
    const b = short_m * Math.sin(turn);
    const east = a * Math.cos(angle) - b * Math.sin(angle);
    const north = a * Math.sin(angle) + b * Math.cos(angle);
    ring.push([lon + east / lonScale(lat), shownLat(lat) + north / METRES_PER_DEGREE]);
  }
  return ring;
}

/** A box [w, s, e, n] around points [[lon, lat], …], with room, that a map can show; null without points. */
export function boxOf(points, room_m = 30) {
  if (!points.length) return null;
  const lons = points.map((p) => p[0]);
  const lats = points.map((p) => shownLat(p[1]));
  const south = Math.min(...lats);
  const dLat = room_m / METRES_PER_DEGREE;
  const dLon = room_m / lonScale(south);
  const north = shownLat(Math.max(...lats) + dLat);
  return [Math.max(Math.min(...lons) - dLon, -180), shownLat(south - dLat), Math.min(Math.max(...lons) + dLon, 180), north];
}

/** Metres between two places. */
export const apart_m = (latA, lonA, latB, lonB) =>
  Math.hypot((latA - latB) * METRES_PER_DEGREE, (lonA - lonB) * lonScale((latA + latB) / 2));

const middle = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

/** The points [[lon, lat], …] of the city where most of them are: a stray one, half a world away, does not take the map with it. */
export function mostOf(points, reach_m = 100_000) {
  const [lon, lat] = [0, 1].map((k) => middle(points.map((p) => p[k])));
  const near = points.filter((p) => apart_m(lat, lon, p[1], p[0]) <= reach_m);
  return near.length * 2 > points.length ? near : points;
}

/** Lines of the graticule across a box, at a step that gives about six of them. */
export function graticule([w, s, e, n]) {
  const steps = [10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];
  const step = steps.find((one) => (e - w) / one >= 4) ?? 0.0001;
  const lines = [];
  const add = (coordinates) => lines.push({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates } });
  for (let lon = Math.ceil(w / step) * step; lon <= e && lines.length < 40; lon += step) add([[lon, s], [lon, n]]);
  for (let lat = Math.ceil(s / step) * step; lat <= n && lines.length < 80; lat += step) add([[w, lat], [e, lat]]);
  return { type: "FeatureCollection", features: lines };
}
