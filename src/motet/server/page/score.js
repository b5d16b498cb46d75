// The score: time across, voices down. It scrolls with time unless somebody looks at the past; one
// row can be chosen, with the pointer or as a slider with the keys, to rewind or fork there.

import { byId, setText } from "./dom.js";
import { coloursNow, inkOf } from "./inks.js";
import { drawScore, TOP } from "./score_ink.js";
import { describe, ScoreLayout } from "./score_layout.js";
import { unreadOf } from "./systems.js";

const FAMILY = '"EB Garamond", Palatino, Georgia, serif';
const FONTS = {
  word: `15px ${FAMILY}`,
  given: `italic 15px ${FAMILY}`,
  name: `15px ${FAMILY}`,
  number: `italic 12px ${FAMILY}`,
  turn: `600 14px ${FAMILY}`,
};
const KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
const ROOM_AHEAD = 90; // after the last row, for what waits
const NARROW = { below: 640, margin: 84, staff: 40 };
const WIDE = { margin: 115, staff: 46 }; // beside the gutter of the page, so that words line up

export class Score {
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.box = byId("score-body");
    this.stretch = byId("stretch");
    this.canvas = byId("staves");
    this.ink = this.canvas.getContext("2d");
    this.layout = new ScoreLayout((text) => {
      this.ink.font = FONTS.word;
      return this.ink.measureText(text).width;
    });
    this.cursor = null;
    this.hover = null;
    this.follows = true;
    this.left = 0;
    this.state = null;
    this.listen();
    Promise.all(Object.values(FONTS).map((font) => document.fonts.load(font))).then(() => {
      this.layout.reset();
      this.refresh();
    });
  }

  listen() {
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.pressed(event));
    this.box.addEventListener("click", (event) => this.choose(this.rowAt(event)));
    this.box.addEventListener("pointermove", (event) => this.hovered(this.rowAt(event)));
    this.box.addEventListener("pointerleave", () => this.hovered(null));
    byId("follow").addEventListener("click", () => {
      this.choose(null);
      this.follows = true;
      this.refresh();
    });
    new ResizeObserver(() => this.refresh()).observe(this.box);
    const toggle = byId("toggle-score");
    toggle.addEventListener("click", () => {
      const isOpen = toggle.getAttribute("aria-expanded") !== "true";
      toggle.setAttribute("aria-expanded", isOpen);
      this.box.hidden = !isOpen;
      this.refresh();
    });
  }

  /** Colours or fonts have changed. */
  refresh() {
    this.colours = null;
    if (this.state) this.render(this.state);
  }

  clear() {
    this.cursor = null;
    this.hover = null;
    this.follows = true;
    this.layout.reset();
  }

  render(state) {
    this.state = state;
    if (state.session === null || this.box.hidden) return;
    this.layout.update(state.rows);
    if (this.cursor !== null && !state.rows.some((row) => row.index === this.cursor)) this.choose(null);
    const isNarrow = innerWidth < NARROW.below;
    this.staff = isNarrow ? NARROW.staff : WIDE.staff;
    this.margin = isNarrow ? NARROW.margin : WIDE.margin + parseFloat(getComputedStyle(byId("conversation")).paddingLeft);
    this.height = TOP + state.session.channels.length * this.staff;
    const width = `${Math.ceil(this.margin + this.layout.width + ROOM_AHEAD)}px`;
    if (this.stretch.style.width !== width) this.stretch.style.width = width;
    if (this.follows) this.box.scrollLeft = this.box.scrollWidth;
    this.describeCursor();
    this.draw();
  }

  draw() {
    const { state } = this;
    const { channels, endId } = state.session;
    this.colours ??= this.readColours(channels);
    const width = this.box.clientWidth;
    const scale = devicePixelRatio;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(this.height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(this.height * scale);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${this.height}px`;
    }
    this.ink.setTransform(scale, 0, 0, scale, 0, 0);
    drawScore(this.ink, {
      width,
      height: this.height,
      margin: this.margin,
      staff: this.staff,
      from: this.box.scrollLeft,
      layout: this.layout,
      channels,
      endId,
      inks: channels.map((_, channel) => this.colours[inkOf(channels, channel)]),
      colours: this.colours,
      fonts: FONTS,
      cursor: this.cursor,
      hover: this.hover,
      firstRow: state.firstRow,
      turnStarts: new Map(state.turns.map(({ turn, fromRow }) => [fromRow, turn])),
      waiting: channels.map(({ name }) => unreadOf(state, name).map(({ rest }) => rest).join(" ")),
    });
  }

  readColours(channels) {
    const inks = channels.map((_, channel) => inkOf(channels, channel));
    return coloursNow([...new Set(inks), "paper", "line", "rest", "soft", "accent"]);
  }

  rowAt(event) {
    const x = event.clientX - this.box.getBoundingClientRect().left - this.margin + this.box.scrollLeft;
    if (x < this.box.scrollLeft || x > this.layout.width || this.layout.rows.length === 0) return null;
    return this.layout.rows[this.layout.at(x)].index;
  }

  hovered(index) {
    if (this.hover === index || !this.state?.session) return;
    this.hover = index;
    this.describeCursor();
    this.draw();
  }

  choose(index) {
    this.cursor = index;
    if (index !== null) this.follows = false;
    this.onChoose(index);
    if (!this.state?.session) return;
    this.describeCursor();
    this.draw();
  }

  pressed(event) {
    const { rows } = this.layout;
    const isMove = event.key in KEYS || event.key === "Home" || event.key === "End";
    if (!isMove || rows.length === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const now = this.cursor === null ? rows.length : rows.findIndex((row) => row.index === this.cursor);
    const moved = event.key === "Home" ? 0 : event.key === "End" ? rows.length - 1 : now + KEYS[event.key];
    const place = Math.max(0, Math.min(rows.length - 1, moved));
    this.choose(rows[place].index);
    this.reveal(place);
  }

  reveal(place) {
    const left = this.layout.left(place);
    const visible = this.box.clientWidth - this.margin;
    if (left < this.box.scrollLeft || this.layout.ends[place] > this.box.scrollLeft + visible) {
      this.box.scrollLeft = left - visible / 2;
    }
  }

  scrolled() {
    const { scrollLeft, scrollWidth, clientWidth } = this.box;
    const isAtEnd = scrollWidth - scrollLeft - clientWidth < 60;
    if (isAtEnd && this.cursor === null) this.follows = true;
    else if (scrollLeft < this.left) this.follows = false;
    this.left = scrollLeft;
    byId("follow").hidden = this.follows;
    if (this.state?.session) this.draw();
  }

  describeCursor() {
    const { rows } = this.layout;
    const chosen = rows.find((row) => row.index === this.cursor);
    const spoken = chosen ?? rows.at(-1);
    this.box.setAttribute("aria-valuemin", rows[0]?.index ?? 0);
    this.box.setAttribute("aria-valuemax", rows.at(-1)?.index ?? 0);
    this.box.setAttribute("aria-valuenow", spoken?.index ?? 0);
    this.box.setAttribute("aria-valuetext", spoken ? describe(spoken, this.state.session) : "no rows yet");
    const shown = rows.find((row) => row.index === (this.hover ?? this.cursor));
    setText(byId("readout"), shown ? describe(shown, this.state.session) : "");
    byId("follow").hidden = this.follows;
  }
}
