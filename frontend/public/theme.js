// The chosen theme, or the system's. `src/preferences.ts` keeps it up to date afterwards.
(function () {
  var chosen = "system";
  try {
    chosen = (JSON.parse(localStorage.getItem("videogen.preferences") || "{}").theme) || "system";
  } catch (error) {
    // Storage may be forbidden, or hold something else.
  }
  var light = chosen === "light" || (chosen === "system" && matchMedia("(prefers-color-scheme: light)").matches);
  document.documentElement.dataset.theme = light ? "light" : "dark";
})();
