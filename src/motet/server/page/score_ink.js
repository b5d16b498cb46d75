// Draw a stretch of the score on a canvas: staves, notes, beams, rests, words, bar lines.
//     filled note = spoken by the model, hollow = given, bar below the line = silence,
//     beam = tokens of one word, small double bar = a message ends

import { goesOn, lyric } from "./score_layout.js";

export const TOP = 20; // room for row numbers
const LINE = 18; // of the staff line below the staff's top
const NOTE_X = 9;
const STEM = 13;

/** canvas: width x height in CSS pixels, already scaled; from: what stands at the left edge. */
export function drawScore(ink, scene) {
  const { width, height, margin, from, layout } = scene;
  ink.clearRect(0, 0, width, height);
  const first = layout.ends.length ? layout.at(Math.max(0, from)) : 0;
  ink.save();
  ink.beginPath();
  ink.rect(margin, 0, width - margin, height);
  ink.clip();
  drawLines(ink, scene);
  for (let place = first; place < layout.ends.length; place += 1) {
    const x = margin + layout.left(place) - from;
    if (x > width) break;
    drawRow(ink, scene, place, x);
  }
  drawEnd(ink, scene);
  ink.restore();
  drawNames(ink, scene);
}

function drawLines(ink, { channels, width, margin, staff, colours }) {
  ink.fillStyle = colours.line;
  for (const channel of channels.keys()) {
    ink.fillRect(margin, TOP + channel * staff + LINE, width - margin, 1);
  }
}

function drawRow(ink, scene, place, x) {
  const { layout, channels, endId, inks, colours, staff, turnStarts, cursor, hover, firstRow } = scene;
  const row = layout.rows[place];
  const before = layout.rows[place - 1];
  const rowWidth = layout.ends[place] - layout.left(place);
  const bottom = TOP + channels.length * staff;
  if (row.index === cursor || row.index === hover) {
    ink.globalAlpha = row.index === cursor ? 0.16 : 0.07;
    ink.fillStyle = colours.accent;
    ink.fillRect(x - 1, 2, rowWidth, bottom - 4);
    ink.globalAlpha = 1;
  }
  const turn = turnStarts.get(row.index);
  if (turn !== undefined) {
    ink.fillStyle = colours.soft;
    ink.fillRect(x - 1, TOP + LINE, 1, (channels.length - 1) * staff + 1);
    ink.font = scene.fonts.turn;
    ink.fillStyle = colours.accent;
    ink.fillText(`${turn}`, x, 15);
  } else if (row.index % 10 === 0) {
    ink.font = scene.fonts.number;
    ink.fillStyle = colours.soft;
    ink.fillText(`${row.index}`, x + 2, 15);
  }
  ink.globalAlpha = row.index < firstRow ? 0.4 : 1;
  for (const channel of channels.keys()) {
    const y = TOP + channel * staff + LINE;
    ink.fillStyle = inks[channel];
    ink.strokeStyle = inks[channel];
    if (row.silent[channel]) drawRest(ink, x, y, colours.rest);
    else if (row.ids[channel] === endId) drawClose(ink, x, y);
    else {
      const beam = goesOn(before, row, channel) ? x - (layout.left(place) - layout.left(place - 1)) : null;
      drawNote(ink, x, y, row.given[channel], beam);
      ink.font = row.given[channel] ? scene.fonts.given : scene.fonts.word;
      ink.fillText(lyric(row.text[channel]), x + 2, y + 20);
    }
  }
  ink.globalAlpha = 1;
}

function drawRest(ink, x, y, colour) {
  ink.fillStyle = colour;
  ink.fillRect(x + 4, y + 1, 7, 3);
}

function drawClose(ink, x, y) {
  ink.fillRect(x + 5, y - 6, 1, 13);
  ink.fillRect(x + 8, y - 6, 2, 13);
}

function drawNote(ink, x, y, isGiven, beamFrom) {
  ink.lineWidth = 1.2;
  ink.beginPath();
  ink.ellipse(x + NOTE_X, y + 0.5, 4.7, 3.3, -0.35, 0, 2 * Math.PI);
  if (isGiven) ink.stroke();
  else ink.fill();
  const stem = x + NOTE_X + 4;
  ink.fillRect(stem, y - STEM, 1.1, STEM - 0.5);
  if (beamFrom !== null) ink.fillRect(beamFrom + NOTE_X + 4, y - STEM, stem - (beamFrom + NOTE_X + 4) + 1, 2.5);
}

/** The end of what has been read: a line, and after it the words that wait. */
function drawEnd(ink, { margin, from, layout, channels, staff, colours, waiting, fonts }) {
  const x = margin + layout.width - from;
  if (layout.rows.length) {
    ink.fillStyle = colours.accent;
    ink.fillRect(x, TOP + LINE - 10, 1.5, (channels.length - 1) * staff + 20);
  }
  ink.font = fonts.given;
  ink.globalAlpha = 0.75;
  for (const [channel, text] of waiting.entries()) {
    if (!text) continue;
    ink.fillStyle = colours.soft;
    ink.fillText(lyric(text), x + 8, TOP + channel * staff + LINE + 20);
  }
  ink.globalAlpha = 1;
}

function drawNames(ink, { channels, inks, colours, margin, staff, fonts, height }) {
  ink.fillStyle = colours.paper;
  ink.fillRect(0, 0, margin, height);
  ink.font = fonts.name;
  ink.textAlign = "right";
  for (const [channel, { name }] of channels.entries()) {
    ink.fillStyle = inks[channel];
    ink.fillText(fitted(ink, name, margin - 22), margin - 16, TOP + channel * staff + LINE + 5);
  }
  ink.textAlign = "left";
  ink.fillStyle = colours.soft;
  const top = TOP + LINE - 10;
  const bottom = TOP + (channels.length - 1) * staff + LINE + 10;
  ink.fillRect(margin - 9, top, 3, bottom - top);
  ink.fillRect(margin - 4, top, 1, bottom - top);
  ink.fillRect(margin - 9, top, 9, 1.5);
  ink.fillRect(margin - 9, bottom - 1.5, 9, 1.5);
}

/** The text, or as much of its beginning as has room. */
function fitted(ink, text, width) {
  if (ink.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && ink.measureText(`${text.slice(0, length)}…`).width > width) length -= 1;
  return `${text.slice(0, length)}…`;
}
