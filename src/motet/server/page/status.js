// The words of the status lines.

const seconds = (value) => (value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(1)} s`);

export function connectionText(status, state) {
  if (status.name === "lost") return "connection lost, trying again";
  if (status.name === "closed") return "closed";
  if (state.place !== null) return `the server is full; place ${state.place} in line`;
  if (status.name === "connecting") return "connecting";
  return state.seq < state.target ? "catching up" : "connected";
}

export function figuresOf(state) {
  const { metrics, session } = state;
  if (session === null) return "";
  const parts = [];
  if (metrics && metrics.rows_per_s > 0) parts.push(`${Math.round(metrics.rows_per_s).toLocaleString("en")} rows/s`);
  if (metrics && metrics.ttft_s !== null) parts.push(`first word after ${seconds(metrics.ttft_s)}`);
  const used = state.rows.length ? state.rows.at(-1).index + 1 - state.firstRow : 0;
  parts.push(`${used.toLocaleString("en")} of ${session.contextRows.toLocaleString("en")} rows`);
  return parts.join(" · ");
}
