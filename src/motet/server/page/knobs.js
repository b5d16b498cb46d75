// What can be set while the model speaks: names, ranges and words of every knob. The server has the
// last word on a value; `place` says where in the settings a knob stands.

const sampler = (name, label, low, high, step, help) => ({ place: "sampling", name, label, low, high, step, help });
const setting = (name, label, low, high, step, help) => ({ place: "session", name, label, low, high, step, help });

export const KNOBS = [
  sampler("temperature", "Temperature", 0, 2, 0.05, "0 always takes the likeliest word"),
  sampler("top_k", "Top k", 0, 200, 1, "the k likeliest words; 0 is off"),
  sampler("top_p", "Top p", 0.05, 1, 0.01, "the likeliest words of this share; 1 is off"),
  sampler("min_p", "Min p", 0, 1, 0.01, "words at least so likely beside the likeliest; 0 is off"),
  sampler("repetition_penalty", "Repetition penalty", 0.5, 2, 0.01, "1 is off"),
  sampler("presence_penalty", "Presence penalty", -2, 2, 0.05, "0 is off"),
  sampler("frequency_penalty", "Frequency penalty", -2, 2, 0.05, "0 is off"),
  setting("silence_penalty_output", "Silence penalty, reply", -5, 10, 0.1, "more: it speaks sooner"),
  setting("silence_penalty_thought", "Silence penalty, thoughts", -5, 10, 0.1, "more: it thinks more"),
  setting("pace", "Pace", 0, 100, 1, "rows a second at most; 0 is as fast as it goes"),
  setting("max_rows", "Rows of a turn", 16, 4096, 16, "at most"),
  setting("mute_rows", "Patience", 1, 512, 1, "rows without a word before a turn is over"),
  setting("quiet_rows", "Rest at the end", 1, 64, 1, "rows of rest that end a turn"),
  setting("seed", "Seed", 0, 9999, 1, "the same seed gives the same rows"),
];

/** The change of settings that sets `knob` to `value`, for all voices or for one. */
export function changeOf(knob, value, voice) {
  if (knob.place === "session") return { [knob.name]: value };
  const change = { [knob.name]: value };
  return voice ? { channel_sampling: { [voice]: change } } : { sampling: change };
}

/** What is in force for `knob`, for all voices or for one. */
export function valueOf(knob, settings, voice) {
  if (knob.place === "session") return settings[knob.name];
  return (settings.channel_sampling[voice] ?? settings.sampling)[knob.name];
}
