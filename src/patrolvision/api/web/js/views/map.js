/** The duty officer's view: filters and list at the left, the map, and the ticket that was chosen. */

import { get, page } from "../api.js";
import { ticketDrawer } from "../drawer.js";
import { calm, el } from "../dom.js";
import { asked, filter, filterForm } from "../filters.js";
import { axes95, boxAround, boxOf, ellipse95, mostOf, shownLat } from "../geometry.js";
import { ticketList } from "../list.js";
import { t } from "../i18n.js";
import { onChange } from "../live.js";
import { officeSettings } from "../session.js";
import { stage } from "../map/stage.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const RANK = { urgent: 3, high: 2, normal: 1 };
/** The zoom at which an ellipse of this half axis is well seen. */
const closeUp = (long_m, lat) => Math.min(20.5, Math.max(18, Math.log2((26 * 78_271.5 * Math.cos((lat * Math.PI) / 180)) / long_m)));
const CREWS_AGAIN_MS = 30_000;
let lastPlace = null; // where the map was when it was last left

const feature = (properties, geometry) => ({ type: "Feature", properties, geometry });
const collection = (...features) => ({ type: "FeatureCollection", features });
const isWide = () => innerWidth > 820;

function dressed(found, chosen) {
  for (const f of found.features) {
    const p = f.properties;
    p.count = p.count ?? 1;
    p.picture = p.count === 1 && (p.ticket_id ?? p.id) === chosen ? `dot|${p.category}` : p.count > 1 ? `sum|${p.count}` : `pin|${p.category}|${p.state}|${p.priority === "urgent" ? 1 : 0}`;
    p.rank = p.count > 1 ? 4 : RANK[p.priority] ?? 1;
  }
  return found;
}

/** Open the view; `update` takes the address when another ticket is chosen. */
export function open(main, address) {
  let map = null;
  let pointsAsked = null;
  let points = EMPTY;
  let crewTimer = 0;
  let listBox = null; // what the list shows: where somebody moved the map to, not where a ticket took it
  let isTaken = false; // the map moves to a ticket that was opened
  let placed = null; // the ticket whose place is shown, or is to be once there is a map
  let gone = false;
  const mapNode = el("section", { class: "map-stage" });
  const drawerNode = el("aside", { class: "drawer", hidden: true, "aria-label": t("ticket.label") });
  const go = (id) => { location.hash = id ? `#/map/${encodeURIComponent(id)}` : "#/map"; };

  const drawer = ticketDrawer({ node: drawerNode, close: () => go(null), changed: showPlace });
  const list = ticketList({ pick: go, sort: filter().sort, sorted: (sort) => { filter().sort = sort; refreshList(); } });
  const form = filterForm({ changed: refilter, draw: (done) => map?.draw(done) });
  const panel = el("section", { class: "panel" }, form, list.node);
  main.append(panel, mapNode, drawerNode);

  const bbox = () => map && boxAround(map.bounds()).map((d) => d.toFixed(6)).join(",");
  const refreshList = () => list.fill({ ...asked(), bbox: filter().inView && !filter().text ? listBox : null, sort: filter().sort }).then(() => list.select(drawer.shown()));
  async function refreshPoints() {
    if (!map) return;
    pointsAsked?.abort();
    pointsAsked = new AbortController();
    try {
      points = await get("clusters", { bbox: bbox(), zoom: map.zoom().toFixed(1), ...asked() }, { signal: pointsAsked.signal });
      drawPoints();
    } catch (error) {
      if (error.name !== "AbortError" && error.status === undefined) throw error;
    }
  }
  /** Show the points, the chosen one as a dot inside its ellipse. */
  function drawPoints() { map?.set("points", dressed(points, drawer.shown())); }
  const refresh = () => { refreshPoints(); refreshList(); };
  const soon = calm(refresh, 400);
  function refilter() { map?.showArea(filter().polygon); refresh(); }
  function moved() {
    refreshPoints();
    if (!isTaken) {
      lastPlace = { bounds: map.bounds() };
      listBox = bbox();
      if (filter().inView) refreshList();
    }
    isTaken = false;
  }

  function showPlace(ticket, isNew) {
    list.select(ticket.ticket_id);
    placed = ticket;
    if (!map) return;
    const at = [ticket.lon_deg, shownLat(ticket.lat_deg)];
    const s2 = ticket.sigma_m ** 2;
    const cov = ticket.incident?.cov_en_m2 ?? [[s2, 0], [0, s2]];
    map.set("selected", collection(feature({}, { type: "Point", coordinates: at })));
    map.set("ellipse", collection(feature({ category: ticket.category }, { type: "Polygon", coordinates: [ellipse95(at[1], at[0], cov)] })));
    drawPoints();
    if (!isNew) return;
    isTaken = true;
    map.fly(...at, closeUp(axes95(cov).long_m, at[1]), isWide() ? { right: drawerNode.offsetWidth } : {});
  }
  function clearPlace() {
    map?.set("selected", EMPTY);
    map?.set("ellipse", EMPTY);
    const last = drawer.shown();
    drawer.shut();
    if (map) drawPoints();
    list.select(null);
    list.focus(last);
  }
  function pick(spot) {
    if (spot.count > 1) map.fly(spot.lon, spot.lat, Math.min((spot.expansion_zoom ?? map.zoom() + 2), 20));
    else go(spot.ticket_id ?? spot.id);
  }
  function update({ id }) {
    main.classList.toggle("has-ticket", Boolean(id));
    if (id) drawer.open(id);
    else clearPlace();
  }

  async function refreshCrews() {
    const crews = await get("crews", {}, { quiet: true }).catch(() => []);
    const known = crews.filter((crew) => crew.active && crew.position);
    map?.set("crews", collection(...known.map(({ name, position }) => feature(
      { name, is_fresh: position.is_fresh, picture: `crew|${position.is_fresh ? 1 : 0}|${name}` },
      { type: "Point", coordinates: [position.lon_deg, position.lat_deg] }))));
  }
  async function toFirstPlace(made) {
    if (lastPlace) return made.fit(lastPlace.bounds, { padding: 0, jump: true, maxZoom: 22 });
    const { rows } = await page("tickets", { limit: 200, sort: "newest" }).catch(() => ({ rows: [] }));
    const box = boxOf(mostOf(rows.map((r) => [r.lon_deg, r.lat_deg])), 40);
    if (box && !gone) made.fit(box, { jump: true });
    return null;
  }
  async function begin() {
    const made = await stage(mapNode, { tiles: officeSettings().tiles, moved: () => map && moved(), pick });
    if (!gone) await toFirstPlace(made);
    if (gone) { made.remove(); return; }
    map = made; // from now on its moves ask for what is there
    mapNode.dataset.map = map.kind;
    listBox = bbox();
    map.showArea(filter().polygon);
    refresh();
    refreshCrews();
    crewTimer = setInterval(refreshCrews, CREWS_AGAIN_MS);
    if (placed?.ticket_id === drawer.shown()) showPlace(placed, true);
  }
  const onKey = (event) => { if (event.key === "Escape" && drawer.shown() && !document.querySelector("dialog[open]")) go(null); };
  addEventListener("keydown", onKey);
  const quiet = onChange((change) => { soon(); drawer.refresh(change.ticket_id); });

  update(address);
  refreshList();
  begin();
  return { update, close() { gone = true; clearInterval(crewTimer); map?.remove(); map = null; quiet(); removeEventListener("keydown", onKey); } };
}
