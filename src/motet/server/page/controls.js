// The controls of playing: stop, pause, step, hold, fork. Each says when it can be used and what it
// does; a server or model that cannot do one does not show it.

import { byId, element, setText } from "./dom.js";
import { currentTurn, isSpeaking, waitingInputs } from "./state.js";

const isBusy = (state) => isSpeaking(state) || waitingInputs(state).length > 0;
const endedByLimit = (state) =>
  ["max_rows", "mute", "repetition"].includes(currentTurn(state)?.ended?.reason);

export const CONTROLS = [
  {
    name: "stop", key: "Escape", shown: "Esc", needs: "interrupt",
    label: () => "Stop", help: "end the turn, drop what is queued",
    can: isBusy, event: () => ({ type: "interrupt" }),
  },
  {
    name: "pause", key: "Alt+P", needs: "pause",
    label: (state) => (state.isPaused || endedByLimit(state) ? "Continue" : "Pause"),
    help: "pause, or go on",
    isOn: (state) => state.isPaused,
    can: (state) => state.isPaused || isBusy(state) || endedByLimit(state),
    event: (state) => ({ type: state.isPaused || endedByLimit(state) ? "continue" : "pause" }),
  },
  {
    name: "step", key: "Alt+S", needs: "step",
    label: () => "Step", help: "one row, then pause",
    can: isBusy, event: () => ({ type: "step", rows: 1 }),
  },
  {
    name: "hold", key: "Alt+H", needs: "hold",
    label: (state) => (state.isHeld ? "Release" : "Hold"),
    help: "keep the reply silent: let it think first",
    isOn: (state) => state.isHeld,
    can: () => true, event: (state) => ({ type: state.isHeld ? "release" : "hold" }),
  },
  {
    name: "fork", key: "Alt+K", needs: "fork",
    label: () => "Fork", help: "go on in a copy",
    can: (state) => state.rows.length > 0, event: () => ({ type: "fork" }),
  },
];

export class Controls {
  /** use(control): somebody has pressed it. */
  constructor(use) {
    this.buttons = CONTROLS.map((control) => {
      const button = element("button", {
        type: "button", id: control.name, title: `${control.help} (${control.shown ?? control.key})`,
        "aria-keyshortcuts": control.key, disabled: true, onclick: () => use(control),
      });
      return { control, button };
    });
    byId("controls").append(...this.buttons.map(({ button }) => button));
  }

  render(state, isReady) {
    for (const { control, button } of this.buttons) {
      const { session } = state;
      button.hidden = session !== null && !session.capabilities.has(control.needs);
      button.disabled = !isReady || !control.can(state);
      setText(button, control.label(state));
      button.toggleAttribute("data-on", control.isOn?.(state) ?? false);
    }
  }
}

export const canUse = (control, state) =>
  state.session !== null && state.session.capabilities.has(control.needs) && control.can(state);
