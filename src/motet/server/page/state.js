// What the page knows of a session, folded from server events by pure functions:
//     state' = fold(state, event)
// Events that the server numbers are taken once, in order; those of the moment repeat a number.

const OF_THE_MOMENT = new Set([
  "session.created", "session.waiting", "session.closed", "metrics", "heartbeat", "going_away",
  "error",
]);

export const emptyState = () => ({
  session: null, // id, token, model, channels, capabilities, limits, contextRows, contextPolicy
  settings: null,
  isPaused: false,
  isHeld: false,
  seq: 0, // last numbered event that was taken
  target: 0, // the number up to which a resumed session has to catch up
  rows: [], // frames as they came: index, ids, text, silent, given
  turns: [], // turn, fromRow, ended: null or {row, reason, rows, ttftRows, seconds}
  inputs: [], // id, channel, text, chars, status: queued | read | cleared, fromRow
  firstRow: 0, // the oldest row that the model still sees
  filling: null,
  metrics: null,
  place: null, // place in the line of a full server
  leaving: null,
  closed: null,
});

export function fold(state, event) {
  const isNumbered = !OF_THE_MOMENT.has(event.type);
  if (isNumbered && event.seq <= state.seq) return state;
  const change = FOLDS[event.type]?.(state, event) ?? {};
  return { ...state, ...(isNumbered && { seq: event.seq }), ...change };
}

export const isCaughtUp = (state) => state.session !== null && state.seq >= state.target;
export const currentTurn = (state) => state.turns.at(-1) ?? null;
export const isSpeaking = (state) => state.turns.length > 0 && currentTurn(state).ended === null;
export const waitingInputs = (state) => state.inputs.filter((input) => input.status === "queued");

const inForce = (event) => ({
  settings: event.settings,
  isPaused: event.is_paused,
  isHeld: event.is_held,
});

const FOLDS = {
  "session.created": (state, event) => ({
    session: {
      id: event.session_id,
      token: event.resume_token,
      model: event.model,
      channels: event.channels,
      endId: event.end_id,
      capabilities: new Set(event.capabilities),
      limits: event.limits,
      contextRows: event.context_rows,
      contextPolicy: event.context_policy,
    },
    ...(event.is_new && { seq: event.seq }),
    target: event.seq,
    place: null,
    leaving: null,
    closed: null,
    ...inForce(event),
  }),
  "session.updated": (_, event) => inForce(event),
  "session.waiting": (_, event) => ({ place: event.position }),
  "session.closed": (_, event) => ({ closed: event.reason }),
  "going_away": (_, event) => ({ leaving: event.drain_s }),
  "metrics": (_, event) => ({ metrics: event }),
  "context.filling": (_, event) => ({ filling: event }),
  "context.rolled": (_, event) => ({ firstRow: event.first_row, filling: null }),

  "input.queued": (state, event) => ({
    inputs: [
      ...state.inputs,
      { id: event.input_id, channel: event.channel, text: event.text, chars: 0, status: "queued", fromRow: null },
    ],
  }),
  "input.read": (state, event) => ({
    inputs: state.inputs.map((input) =>
      input.id !== event.input_id ? input : {
        ...input,
        chars: event.chars,
        fromRow: input.fromRow ?? event.from_row,
        status: event.is_done ? "read" : "queued",
      }),
  }),
  "input.cleared": (state, event) => ({
    inputs: state.inputs.map((input) =>
      event.input_ids.includes(input.id) ? { ...input, status: "cleared" } : input),
  }),

  "rows": (state, event) => ({ rows: [...state.rows, ...event.rows] }),
  "turn.started": (state, event) => ({
    turns: [...state.turns, { turn: event.turn, fromRow: event.from_row, ended: null }],
  }),
  "turn.continued": (state, event) => ({
    turns: state.turns.map((turn) => (turn.turn === event.turn ? { ...turn, ended: null } : turn)),
  }),
  "turn.ended": (state, event) => ({
    turns: state.turns.map((turn) =>
      turn.turn !== event.turn ? turn : {
        ...turn,
        ended: { row: event.row, reason: event.reason, rows: event.rows, ttftRows: event.ttft_rows, seconds: event.seconds },
      }),
  }),
  "session.rewound": (state, event) => ({
    rows: state.rows.filter((row) => row.index < event.to_row),
    turns: state.turns
      .filter((turn) => turn.fromRow < event.to_row)
      .map((turn) => (turn.ended && turn.ended.row > event.to_row ? { ...turn, ended: null } : turn)),
    inputs: state.inputs
      .filter((input) => input.fromRow === null || input.fromRow < event.to_row)
      .map((input) => (input.status === "queued" ? { ...input, status: "cleared" } : input)),
  }),
};
