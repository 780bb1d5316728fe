/** Charts drawn as SVG from numbers; each says its figures to a screen reader too. */

import { el, svg } from "./dom.js";
import { number, percent } from "./i18n.js";


/** A step (1, 2 or 5 times a power of ten) that cuts `top` into at most `parts`. */
function niceStep(top, parts = 4) {
  const rough = Math.max(top / parts, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough);
}

function figuresTable(caption, head, rows) {
  return el("table", { class: "sr" }, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, head.map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell))))));
}

/** The key of a chart: a spot of colour and a name each. */
const legend = (series) =>
  el("ul", { class: "chart-legend" }, series.map((s) => el("li", { class: s.css }, el("i", { class: s.isLine ? "chart-dash" : "dot", "aria-hidden": "true" }), s.name)));

/** Bars over time, one on another, with lines over them. series: [{name, css, values, isLine?}]. */
export function timeBars({ title, labels, series, height = 220 }) {
  const width = innerWidth < 600 ? 380 : 640; // of the drawing: its letters keep their size on a phone
  const bars = series.filter((s) => !s.isLine);
  const lines = series.filter((s) => s.isLine);
  const sums = labels.map((_, k) => bars.reduce((sum, s) => sum + s.values[k], 0));
  const step = niceStep(Math.max(...sums, ...lines.flatMap((s) => s.values), 1));
  const top = step * Math.ceil(Math.max(...sums, ...lines.flatMap((s) => s.values), 1) / step);
  const [left, right, above, below] = [36, 8, 8, 24];
  const y = (value) => above + (height - above - below) * (1 - value / top);
  const slot = (width - left - right) / Math.max(labels.length, 1);
  const x = (k) => left + slot * (k + 0.5);
  const thick = Math.min(slot * 0.7, 44);
  const every = Math.ceil(labels.length / (width / 80));

  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", "aria-hidden": "true" });
  for (let value = 0; value <= top; value += step) {
    drawing.append(svg("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "chart-grid" }), svg("text", { x: left - 8, y: y(value) + 4, class: "chart-tick end" }, number(value)));
  }
  labels.forEach((label, k) => {
    let under = 0;
    for (const s of bars) {
      const value = s.values[k];
      if (value > 0) drawing.append(svg("rect", { x: x(k) - thick / 2, width: thick, y: y(under + value), height: Math.max(y(under) - y(under + value) - 1, 0.5), rx: 2, class: `chart-bar ${s.css}` }, svg("title", {}, `${label} · ${s.name}: ${number(value)}`)));
      under += value;
    }
    if (k % every === 0) drawing.append(svg("text", { x: x(k), y: height - 6, class: "chart-tick" }, label));
  });
  for (const s of lines) {
    drawing.append(svg("path", { d: s.values.map((value, k) => `${k ? "L" : "M"}${x(k).toFixed(1)} ${y(value).toFixed(1)}`).join(""), class: `chart-line ${s.css}` }));
    s.values.forEach((value, k) => drawing.append(svg("circle", { cx: x(k), cy: y(value), r: 3, class: `chart-point ${s.css}` }, svg("title", {}, `${labels[k]} · ${s.name}: ${number(value)}`))));
  }
  return el("figure", { class: "chart-box" }, drawing, legend(series),
    figuresTable(title, ["", ...series.map((s) => s.name)], labels.map((label, k) => [label, ...series.map((s) => number(s.values[k]))])));
}

/** Bars beside names. items: [{name, value, css?, href?, text?}]. */
export function namedBars({ title, items }) {
  const most = Math.max(...items.map((i) => i.value), 1e-9);
  return el("ol", { class: "named-bars", "aria-label": title }, items.map((i) => el("li", { class: i.css ?? "" },
    i.href ? el("a", { href: i.href, class: "bar-name" }, i.name) : el("span", { class: "bar-name" }, i.name),
    el("span", { class: "bar-track", "aria-hidden": "true" }, el("i", { css: { width: `${Math.max((i.value / most) * 100, i.value ? 1.5 : 0)}%` } })),
    el("b", { class: "num" }, i.text ?? number(i.value)))));
}

/** A share as a ring with its figure in the middle; an empty ring where nothing was counted. */
export function ring({ title, share, words, css = "" }) {
  const r = 42;
  const around = 2 * Math.PI * r;
  return el("figure", { class: `ring ${css}`, role: "img", "aria-label": `${title}: ${percent(share)}` },
    svg("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" },
      svg("circle", { cx: 50, cy: 50, r, class: "ring-track" }),
      share ? svg("circle", { cx: 50, cy: 50, r, class: "ring-share", "stroke-dasharray": `${share * around} ${around}`, transform: "rotate(-90 50 50)" }) : null,
      svg("text", { x: 50, y: 55, class: "ring-figure" }, percent(share))),
    el("figcaption", {}, el("b", {}, title), words ? el("span", { class: "soft small" }, words) : null));
}
