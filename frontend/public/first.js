// What cannot wait for the page's own script to be loaded and understood.
(function () {
  // The chosen theme, or the system's, before anything is painted. `src/preferences.ts` keeps it up to date afterwards.
  var chosen = "system";
  try {
    chosen = JSON.parse(localStorage.getItem("videogen.preferences") || "{}").theme || "system";
  } catch (error) {
    // Storage may be forbidden, or hold something else.
  }
  var light = chosen === "light" || (chosen === "system" && matchMedia("(prefers-color-scheme: light)").matches);
  document.documentElement.dataset.theme = light ? "light" : "dark";

  // The storyboard that is about to be shown. `src/storyboard/sync.ts` takes it from here.
  var found = /^\/projects\/([0-9a-f-]{36})\/?$/i.exec(location.pathname);
  if (found) {
    var projectId = found[1].toLowerCase();
    window.firstSnapshot = { projectId: projectId, response: fetch("/api/v1/projects/" + projectId) };
    window.firstSnapshot.response.catch(function () {});
  }
})();
