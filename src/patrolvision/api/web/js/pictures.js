/** Evidence: a gallery, a picture at full size, and before and after under one slider. */

import { el, icon, put } from "./dom.js";
import { t, tOr, when } from "./i18n.js";

const caption = (picture) => [tOr(`picture.${picture.kind}`, picture.kind), picture.at ? when(picture.at) : null].filter(Boolean).join(" · ");

/** Show pictures at full size, the k-th first; arrows go on, Escape closes. */
export function enlarge(pictures, k = 0) {
  let at = k;
  const image = el("img", {});
  const words = el("p", {});
  const go = (step) => {
    at = (at + step + pictures.length) % pictures.length;
    image.src = pictures[at].url;
    image.alt = caption(pictures[at]);
    words.textContent = `${caption(pictures[at])}  ${at + 1} / ${pictures.length}`;
  };
  const button = (label, name, act) => el("button", { type: "button", class: "square", "aria-label": label, on: { click: act } }, icon(name));
  const dialog = el("dialog", { class: "lightbox", "aria-label": t("pictures") }, image,
    el("div", { class: "row" }, button(t("picture.previous"), "back", () => go(-1)), words, button(t("picture.next"), "next", () => go(1)), button(t("close"), "close", () => dialog.close())));
  dialog.addEventListener("keydown", (e) => { if (e.key === "ArrowRight") go(1); else if (e.key === "ArrowLeft") go(-1); });
  dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => dialog.remove());
  go(0);
  document.body.append(dialog);
  dialog.showModal();
}

const CLEAR_SHARE = 0.2; // of a thing: where no more of it is hidden, the picture shows it

/** The moment that is seen best first, as a whole and close; then the others, results at the end. */
export function inOrder(pictures) {
  const veiled = (p) => Math.max(p.hidden ?? 0, CLEAR_SHARE);
  const close = pictures.filter((p) => p.kind === "close").sort((a, b) => veiled(a) - veiled(b))[0];
  const weight = (p) => (p.kind === "after" ? 3 : p === close ? 1 : close && p.at === close.at ? 0 : 2);
  return [...pictures].sort((a, b) => weight(a) - weight(b));
}

/** One large picture and the others small; the large one opens at full size. */
export function gallery(given) {
  if (!given?.length) return el("p", { class: "no-picture soft small" }, t("pictures.none"));
  const pictures = inOrder(given);
  let at = 0;
  const image = el("img", {});
  const words = el("figcaption", {});
  const large = el("button", { type: "button", class: "gallery-large", on: { click: () => enlarge(pictures, at) } }, image);
  const thumbs = el("div", { class: "gallery-thumbs" });
  function show(k) {
    at = k;
    image.src = pictures[k].url;
    image.alt = caption(pictures[k]);
    words.textContent = caption(pictures[k]);
    large.setAttribute("aria-label", `${caption(pictures[k])}, ${t("picture.enlarge")}`);
    [...thumbs.children].forEach((thumb, n) => thumb.setAttribute("aria-pressed", String(n === k)));
  }
  if (pictures.length > 1) put(thumbs, pictures.map((picture, k) => el("button", { type: "button", "aria-label": caption(picture), title: caption(picture), on: { click: () => show(k) } }, el("img", { src: picture.url, alt: "", loading: "lazy" }))));
  show(0);
  return el("figure", { class: "gallery" }, large, words, thumbs);
}

/** Before and after, one over the other, with a divider that pointer and arrow keys move. */
export function compare(before, after) {
  const box = el("div", { class: "compare" });
  const slider = el("input", { type: "range", min: 0, max: 100, value: 50, step: 1, "aria-label": t("compare.slider") });
  const move = () => box.style.setProperty("--at", `${slider.value}%`);
  slider.addEventListener("input", move);
  move();
  const tag = (picture, label) => el("span", { class: "compare-tag" }, label, picture.at ? ` · ${when(picture.at)}` : "");
  put(box,
    el("img", { src: after.url, alt: t("compare.after") }),
    el("img", { src: before.url, alt: t("compare.before"), class: "compare-before" }),
    el("i", { class: "compare-line", "aria-hidden": "true" }),
    el("div", { class: "compare-tags" }, tag(before, t("compare.before")), tag(after, t("compare.after"))),
    slider);
  return box;
}

/** The pictures that go under the slider: the newest after and the best before; null without both. */
export function pairOf(ticket) {
  const byId = (id) => ticket.pictures?.find((p) => p.id === id);
  const [was, is] = [byId(ticket.proposal?.before), byId(ticket.proposal?.after)];
  if (was && is) return [was, is];
  const after = ticket.pictures?.filter((p) => p.kind === "after").at(-1);
  const before = ticket.pictures && inOrder(ticket.pictures).find((p) => p.kind !== "after");
  return after && before ? [before, after] : null;
}
