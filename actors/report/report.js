"use strict";
const OPTIONS = { displaylogo: false, responsive: true, modeBarButtons: [["zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]] };
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
// All plots are drawn while the page loads, from the top: what prints, saves or photographs a page does not scroll.
for (const place of document.querySelectorAll(".plot")) {
  const figure = JSON.parse(place.nextElementSibling.textContent);
  figure.layout.hoverlabel = { bgcolor: dark ? "#26313c" : "#ffffff", font: { color: dark ? "#dfe6ee" : "#1d2733" } };
  figure.layout.font.color = dark ? "#93a0ad" : "#66727f";
  Plotly.newPlot(place, figure.data, figure.layout, OPTIONS);
}
