// Where rows stand in the score. A row is as wide as the widest word in it, so that voices stay
// aligned in time and every word can be read; a row of rests is narrow. Extends what it has.

const REST_WIDTH = 15;
const NOTE_WIDTH = 22;
const WORD_GAP = 9;

export class ScoreLayout {
  /** measure(text): its width in pixels. */
  constructor(measure) {
    this.measure = measure;
    this.widths = new Map();
    this.reset();
  }

  /** Forget all places, and the widths of words too (the font has changed). */
  reset() {
    this.rows = [];
    this.ends = []; // right edge of each row
    this.widths.clear();
  }

  get width() {
    return this.ends.at(-1) ?? 0;
  }

  update(rows) {
    let kept = this.rows.length;
    if (kept > rows.length || (kept > 0 && rows[kept - 1] !== this.rows[kept - 1])) {
      kept = 0;
      while (kept < rows.length && rows[kept] === this.rows[kept]) kept += 1;
      this.ends.length = kept;
    }
    for (let place = kept; place < rows.length; place += 1) {
      this.ends.push(this.left(place) + this.rowWidth(rows[place]));
    }
    this.rows = rows;
  }

  left(place) {
    return place === 0 ? 0 : this.ends[place - 1];
  }

  /** Place of the row at x, the nearest one if x is outside. */
  at(x) {
    let low = 0;
    let high = this.ends.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ends[middle] > x) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  rowWidth(row) {
    let width = REST_WIDTH;
    for (const [channel, text] of row.text.entries()) {
      if (row.silent[channel]) continue;
      width = Math.max(width, NOTE_WIDTH, this.wordWidth(lyric(text)) + WORD_GAP);
    }
    return width;
  }

  wordWidth(word) {
    let width = this.widths.get(word);
    if (width === undefined) {
      width = this.measure(word);
      this.widths.set(word, width);
    }
    return width;
  }
}

/** A cell's text as it stands under its note. */
export const lyric = (text) => text.trim().replaceAll("\n", "↵") || (text.includes("\n") ? "↵" : "");

/** Whether a cell goes on with the word of the cell before it in the same channel. */
export function goesOn(before, row, channel) {
  return (
    before !== undefined && !before.silent[channel] && before.text[channel] !== ""
    && before.given[channel] === row.given[channel]
    && !row.silent[channel] && /^[\p{L}\p{N}]/u.test(row.text[channel])
    && /[\p{L}\p{N}]$/u.test(before.text[channel])
  );
}

/** A row in words, for those who hear the score. */
export function describe(row, { channels, endId }) {
  const parts = channels.map(({ name }, channel) => {
    if (row.silent[channel]) return `${name} rests`;
    if (row.ids[channel] === endId) return `${name} ends`;
    if (row.text[channel] === "") return `${name} is inside a character`;
    const word = lyric(row.text[channel]);
    return `${name} ${row.given[channel] ? "given" : "says"} ${word ? `“${word}”` : "a space"}`;
  });
  return `Row ${row.index}: ${parts.join(", ")}`;
}
