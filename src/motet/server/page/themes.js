// Light, dark, or as the system has it. The choice is an attribute; the style sheet does the rest.

import { byId } from "./dom.js";
import { chosenTheme, keepTheme } from "./storage.js";

const THEMES = { system: "Auto", light: "Light", dark: "Dark" };

export function setUpThemes(onChange) {
  const button = byId("theme");
  let theme = chosenTheme() in THEMES ? chosenTheme() : "system";
  const show = () => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = THEMES[theme];
    button.setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
    button.dataset.theme = theme;
    onChange();
  };
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    theme = names[(names.indexOf(theme) + 1) % names.length];
    keepTheme(theme === "system" ? null : theme);
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
  show();
}
