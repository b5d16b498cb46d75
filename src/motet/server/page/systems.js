// A conversation as systems, like the lines of a sheet of music: one for every turn, and in it what
// each voice says. Pure: state in, plain values out.

/** Turns with their rows: {turn, fromRow, rows, ended}; what stands before the first is turn 0. */
export function systemsOf(state) {
  const systems = [];
  let next = 0;
  const starts = [{ turn: 0, fromRow: -Infinity, ended: null }, ...state.turns];
  for (const [place, start] of starts.entries()) {
    const until = starts[place + 1]?.fromRow ?? Infinity;
    const begin = next;
    while (next < state.rows.length && state.rows[next].index < until) next += 1;
    systems.push({ ...start, rows: state.rows.slice(begin, next), isLast: place === starts.length - 1 });
  }
  return systems.filter(
    (system) => system.turn > 0 || system.rows.some((row) => row.text.some((text) => text.trim())),
  );
}

/** What channel `channel` says in `rows`: stretches {text, isGiven}. Messages come with their lines. */
export function wordsOf(rows, channel) {
  const words = [];
  for (const row of rows) {
    const text = row.text[channel];
    const isGiven = row.given[channel];
    const last = words.at(-1);
    if (text === "") continue;
    if (last?.isGiven === isGiven) last.text += text;
    else words.push({ text, isGiven });
  }
  if (words.length) words[0].text = words[0].text.trimStart();
  return words;
}

/** Texts that wait: of `channel`, the rest that has not been read. Characters are code points. */
export function unreadOf(state, channel) {
  return state.inputs
    .filter((input) => input.status === "queued" && input.channel === channel)
    .map((input) => ({ ...input, rest: [...input.text].slice(input.chars).join("") }));
}

export const REASONS = {
  end: "",
  mute: "nobody spoke",
  max_rows: "the row limit was reached",
  repetition: "it went round in circles",
  context: "the context is full",
  interrupted: "interrupted",
  error: "it failed here",
};
