// A picture in full size, and back by a click or Escape.
(() => {
  const dialog = document.createElement("dialog");
  dialog.innerHTML = "<img alt=''><p></p>";
  dialog.addEventListener("click", () => dialog.close());
  document.body.append(dialog);
  for (const figure of document.querySelectorAll(".pictures figure")) {
    figure.addEventListener("click", () => {
      const small = figure.querySelector("img");
      const large = dialog.querySelector("img");
      large.src = small.src;
      large.alt = small.alt;
      dialog.querySelector("p").textContent = small.alt;
      dialog.showModal();
    });
  }
})();

// Pan, zoom and select on the report's map; pins keep their size on the screen at every zoom.
(() => {
  const map = document.getElementById("map");
  if (!map) return;
  const home = map.viewBox.baseVal;
  const view = { x: home.x, y: home.y, w: home.width, h: home.height };
  const first = { ...view };
  const bar = document.querySelector(".scale i");
  const label = document.querySelector(".scale span");

  const niceLength = (metres) => {
    const target = Math.max(metres / 5, 0.1);
    const power = 10 ** Math.floor(Math.log10(target));
    return [5, 2, 1].map((s) => s * power).find((s) => s <= target);
  };

  const show = () => {
    map.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
    const box = map.getBoundingClientRect();
    const metresPerPixel = Math.max(view.w / box.width, view.h / box.height);
    for (const pin of map.querySelectorAll(".pin")) {
      pin.setAttribute("transform", `translate(${pin.dataset.x} ${pin.dataset.y}) scale(${metresPerPixel})`);
    }
    for (const dot of map.querySelectorAll(".track circle")) dot.setAttribute("r", 4 * metresPerPixel);
    const length = niceLength(box.width * metresPerPixel);
    bar.style.width = `${length / metresPerPixel}px`;
    label.textContent = `${length} m`;
  };

  const zoom = (factor, clientX, clientY) => {
    const w = Math.min(Math.max(view.w * factor, 8), first.w * 4);
    const scale = w / view.w;
    const point = new DOMPoint(clientX, clientY).matrixTransform(map.getScreenCTM().inverse());
    view.x = point.x - (point.x - view.x) * scale;
    view.y = point.y - (point.y - view.y) * scale;
    view.w = w;
    view.h *= scale;
    show();
  };

  map.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.18 : 1 / 1.18, event.clientX, event.clientY);
  }, { passive: false });
  map.addEventListener("dblclick", () => { Object.assign(view, first); show(); });

  const fingers = new Map();
  let moved = 0;
  map.addEventListener("pointerdown", (event) => { fingers.set(event.pointerId, event); moved = 0; });
  const release = (event) => fingers.delete(event.pointerId);
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) map.addEventListener(name, release);
  map.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const box = map.getBoundingClientRect();
    const metresPerPixel = Math.max(view.w / box.width, view.h / box.height);
    if (fingers.size === 2) {
      const other = [...fingers.values()].find((f) => f.pointerId !== event.pointerId);
      const before = Math.hypot(last.clientX - other.clientX, last.clientY - other.clientY);
      const after = Math.hypot(event.clientX - other.clientX, event.clientY - other.clientY);
      if (before && after) zoom(before / after, (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
    } else {
      const dx = event.clientX - last.clientX;
      const dy = event.clientY - last.clientY;
      moved += Math.abs(dx) + Math.abs(dy);
      view.x -= dx * metresPerPixel;
      view.y -= dy * metresPerPixel;
      show();
    }
    fingers.set(event.pointerId, event);
  });

  const select = (id) => {
    for (const on of document.querySelectorAll(".on")) on.classList.remove("on");
    document.getElementById(id)?.classList.add("on");
    map.querySelector(`[data-card="${id}"]`)?.classList.add("on");
  };
  for (const marker of map.querySelectorAll(".marker")) {
    marker.addEventListener("click", (event) => {
      event.preventDefault();
      if (moved > 6) return;
      select(marker.dataset.card);
      document.getElementById(marker.dataset.card)?.scrollIntoView({ behavior: "smooth", block: "center" });
    });
  }
  for (const card of document.querySelectorAll(".card")) card.addEventListener("click", () => select(card.id));
  addEventListener("resize", show);
  show();
})();
