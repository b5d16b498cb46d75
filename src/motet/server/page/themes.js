// Light, dark, or as the system has it. The choice is an attribute; the style sheet does the rest.

import { byId } from "./dom.js";
import { chosenTheme, keepTheme } from "./storage.js";

const THEMES = ["system", "light", "dark"];

export function setUpThemes(onChange) {
  const button = byId("theme");
  let theme = THEMES.includes(chosenTheme()) ? chosenTheme() : "system";
  const show = () => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = theme[0].toUpperCase() + theme.slice(1);
    button.setAttribute("aria-label", `Theme: ${theme}`);
    onChange();
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    keepTheme(theme === "system" ? null : theme);
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
  show();
}
