"use strict";
const OPTIONS = { displaylogo: false, responsive: true, modeBarButtons: [["zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]] };
// Draw a plot when it comes near the view; all of them before printing.
const draw = (place) => {
  if (place.dataset.drawn) return;
  place.dataset.drawn = "yes";
  const figure = JSON.parse(place.nextElementSibling.textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  figure.layout.hoverlabel = { bgcolor: dark ? "#26313c" : "#ffffff", font: { color: dark ? "#dfe6ee" : "#1d2733" } };
  figure.layout.font.color = dark ? "#93a0ad" : "#66727f";
  Plotly.newPlot(place, figure.data, figure.layout, OPTIONS);
};
const plots = document.querySelectorAll(".plot");
const watcher = new IntersectionObserver(
  (seen) => seen.filter((one) => one.isIntersecting).forEach((one) => { watcher.unobserve(one.target); draw(one.target); }),
  { rootMargin: "600px" },
);
plots.forEach((place) => watcher.observe(place));
addEventListener("beforeprint", () => plots.forEach(draw));
