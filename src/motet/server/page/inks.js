// The ink of a voice follows from its role: one for what comes in, black for the reply, and a row of
// others for thoughts. Values stand in the style sheet; a canvas asks for them as colours.

import { element } from "./dom.js";

const NUM_THOUGHT_INKS = 6;

export function inkOf(channels, channel) {
  const { role } = channels[channel];
  if (role !== "thought") return role;
  const before = channels.slice(0, channel).filter((other) => other.role === "thought").length;
  return `thought-${before % NUM_THOUGHT_INKS}`;
}

/** Colours by name of custom property, as the style sheet has them at the moment. */
export function coloursNow(names) {
  const probe = element("span", { hidden: true });
  document.body.append(probe);
  const colours = Object.fromEntries(
    names.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  return colours;
}
