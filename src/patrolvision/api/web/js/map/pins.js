/** Pictures of pins, clusters and labels, drawn on a canvas: the map needs no fonts or sprites from anywhere. */

import { drawing } from "../dom.js";
import { colour } from "../theme.js";
import { categoryDrawing } from "../words.js";

const CATEGORY_TOKEN = { open_fire: "fire", illegal_parking: "parking", litter: "litter" };
const DONE = ["closed", "rejected"];
const SCALE = 2; // canvas pixels per pixel of the page

/** The colour token of a category. */
export const tokenOf = (category) => CATEGORY_TOKEN[category] ?? "accent";

/** "1.2k" for 1234. */
export function short(count) {
  if (count < 1000) return String(count);
  if (count < 1e6) return `${(count / 1000).toFixed(count < 1e4 ? 1 : 0)}k`;
  return `${(count / 1e6).toFixed(1)}M`;
}

/** Radius in pixels of a cluster of so many tickets. */
const clusterRadius = (count) => Math.min(13 + 3.2 * Math.log10(count + 1) * 1.6, 30);

function glyph(pen, category, x, y, size, ink) {
  pen.strokeStyle = ink;
  pen.fillStyle = ink;
  pen.lineWidth = size * 0.2;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  if (category === "open_fire") {
    pen.moveTo(x, y - size);
    pen.bezierCurveTo(x + size * 0.4, y - size * 0.2, x + size * 0.85, y, x + size * 0.7, y + size * 0.45);
    pen.bezierCurveTo(x + size * 0.5, y + size, x - size * 0.5, y + size, x - size * 0.7, y + size * 0.45);
    pen.bezierCurveTo(x - size * 0.8, y, x - size * 0.1, y - size * 0.2, x, y - size);
    pen.fill();
  } else if (category === "illegal_parking") {
    pen.moveTo(x - size * 0.35, y + size * 0.85);
    pen.lineTo(x - size * 0.35, y - size * 0.8);
    pen.lineTo(x + size * 0.1, y - size * 0.8);
    pen.arc(x + size * 0.1, y - size * 0.32, size * 0.48, -Math.PI / 2, Math.PI / 2);
    pen.lineTo(x - size * 0.35, y + size * 0.16);
    pen.lineWidth = size * 0.36;
    pen.stroke();
  } else if (category !== "litter") {
    pen.save();
    pen.translate(x - size * 1.15, y - size * 1.15);
    pen.scale(size * 0.115, size * 0.115);
    pen.lineWidth = 2;
    pen.stroke(new Path2D(drawing(categoryDrawing(category))));
    pen.restore();
  } else {
    pen.moveTo(x - size * 0.75, y - size * 0.5);
    pen.lineTo(x + size * 0.75, y - size * 0.5);
    pen.moveTo(x - size * 0.25, y - size * 0.8);
    pen.lineTo(x + size * 0.25, y - size * 0.8);
    pen.moveTo(x - size * 0.55, y - size * 0.5);
    pen.lineTo(x - size * 0.4, y + size * 0.85);
    pen.lineTo(x + size * 0.4, y + size * 0.85);
    pen.lineTo(x + size * 0.55, y - size * 0.5);
    pen.stroke();
  }
}

/** Draw one ticket at (x, y); done ones are hollow. */
export function drawPin(pen, x, y, { category, state, urgent }) {
  const own = colour(tokenOf(category));
  const paper = colour("paper");
  const isDone = DONE.includes(state);
  if (urgent && !isDone) {
    pen.beginPath();
    pen.arc(x, y, 15.5, 0, 7);
    pen.fillStyle = own;
    pen.globalAlpha = 0.22;
    pen.fill();
    pen.globalAlpha = 1;
  }
  pen.beginPath();
  pen.arc(x, y, isDone ? 8.5 : 11, 0, 7);
  pen.fillStyle = isDone ? paper : own;
  pen.fill();
  pen.lineWidth = isDone ? 1.5 : 2;
  pen.strokeStyle = isDone ? own : paper;
  pen.stroke();
  glyph(pen, category, x, y, isDone ? 4 : 5.4, isDone ? own : paper);
}

/** Draw the ticket that is chosen as a point, so that the ellipse around it is seen. */
export function drawDot(pen, x, y, category) {
  pen.beginPath();
  pen.arc(x, y, 4.5, 0, 7);
  pen.fillStyle = colour(tokenOf(category));
  pen.fill();
  pen.lineWidth = 2;
  pen.strokeStyle = colour("paper");
  pen.stroke();
}

/** Draw a cluster of `count` tickets at (x, y). */
export function drawCluster(pen, x, y, count) {
  const r = clusterRadius(count);
  pen.beginPath();
  pen.arc(x, y, r + 3.5, 0, 7);
  pen.fillStyle = colour("accent");
  pen.globalAlpha = 0.2;
  pen.fill();
  pen.globalAlpha = 1;
  pen.beginPath();
  pen.arc(x, y, r, 0, 7);
  pen.fill();
  pen.fillStyle = colour("accent-ink");
  pen.font = "600 12px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(short(count), x, y + 0.5);
}

/** Draw a crew at (x, y) with its name below; pale where its position is old. */
export function drawCrew(pen, x, y, { name, isFresh }) {
  pen.globalAlpha = isFresh ? 1 : 0.55;
  pen.beginPath();
  pen.roundRect(x - 10, y - 10, 20, 20, 6);
  pen.fillStyle = colour("accent");
  pen.fill();
  pen.lineWidth = 2;
  pen.strokeStyle = colour("paper");
  pen.stroke();
  pen.fillStyle = colour("accent-ink");
  pen.font = "650 11px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText([...name][0]?.toUpperCase() ?? "", x, y + 0.5);
  drawWords(pen, x, y + 19, name);
  pen.globalAlpha = 1;
}

/** Draw small words centred at (x, y), legible on any ground. */
export function drawWords(pen, x, y, words) {
  pen.font = "500 11px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineWidth = 3;
  pen.lineJoin = "round";
  pen.strokeStyle = colour("map-ground");
  pen.strokeText(words, x, y);
  pen.fillStyle = colour("soft");
  pen.fillText(words, x, y);
}

function picture(width, height, draw) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width * SCALE);
  canvas.height = Math.ceil(height * SCALE);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.scale(SCALE, SCALE);
  draw(pen);
  return pen.getImageData(0, 0, canvas.width, canvas.height);
}

/** The picture a name asks for ("pin|litter|filed|1", "sum|12", "words|…"), with its pixel ratio. */
export function pictureOf(name) {
  const [kind, ...rest] = name.split("|");
  const options = { pixelRatio: SCALE };
  if (kind === "pin") {
    const [category, state, urgent] = rest;
    return [picture(34, 34, (pen) => drawPin(pen, 17, 17, { category, state, urgent: urgent === "1" })), options];
  }
  if (kind === "sum") {
    const size = 2 * clusterRadius(Number(rest[0])) + 8;
    return [picture(size, size, (pen) => drawCluster(pen, size / 2, size / 2, Number(rest[0]))), options];
  }
  if (kind === "dot") return [picture(14, 14, (pen) => drawDot(pen, 7, 7, rest[0])), options];
  if (kind === "crew") {
    const [isFresh, ...name] = rest;
    const wide = 24 + 9 * name.join("|").length;
    return [picture(wide, 58, (pen) => drawCrew(pen, wide / 2, 29, { name: name.join("|"), isFresh: isFresh === "1" })), options];
  }
  const words = rest.join("|");
  const width = 12 + 7 * words.length;
  return [picture(width, 18, (pen) => drawWords(pen, width / 2, 9, words)), options];
}
