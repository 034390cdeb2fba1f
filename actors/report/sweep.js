// The heat map: two keys of the grid, the others averaged, at their best, or where the best set has them.
const place = document.querySelector(".map");
if (place) {
  const { grid, places, best, measures, by } = JSON.parse(place.nextElementSibling.textContent);
  const several = grid.map((axis, k) => [axis, k]).filter(([axis]) => axis.values.length > 1);
  const axes = several.length ? several : [[grid[0], 0]];
  const choose = document.querySelector(".choose");
  const choice = (title, options, first) => {
    const label = document.createElement("label"), select = document.createElement("select");
    for (const [value, text] of options) select.add(new Option(text, value, false, String(value) === String(first)));
    select.onchange = () => draw();
    label.append(title + " ", select);
    if (options.length > 1) choose.append(label);
    return select;
  };
  const keys = axes.map(([axis, k]) => [k, axis.key]);
  const x = choice("across", keys, keys[0][0]);
  const y = choice("down", keys, keys[Math.min(1, keys.length - 1)][0]);
  const rest = axes.length > 2 ? [["mean", "averaged"], ["best", "at their best"], ["fixed", "as in the best set"]] : [["mean", ""]];
  const others = choice("other keys", rest, "mean");
  const measure = choice("shown", Object.entries(measures).map(([name, one]) => [name, one.title]), by);
  const draw = () => {
    const [column, row] = [Number(x.value), Number(y.value)];
    const lines = row === column ? [""] : grid[row].values;
    const cells = lines.map(() => grid[column].values.map(() => []));
    const { scores, title } = measures[measure.value];
    places.forEach((at, k) => {
      const apart = others.value === "fixed" && at.some((value, axis) => axis !== column && axis !== row && value !== best[axis]);
      if (scores[k] !== null && !apart) cells[row === column ? 0 : at[row]][at[column]].push(scores[k]);
    });
    const one = cell => !cell.length ? null : others.value === "best" ? Math.max(...cell) : cell.reduce((a, b) => a + b) / cell.length;
    const z = cells.map(line => line.map(one));
    const known = z.flat().filter(value => value !== null);
    const low = Math.min(...known), high = Math.max(...known), both = low < 0 && high > 0;
    const ground = dark ? "#3a4450" : "#f1eee6", bad = "#e4572e", good = "#2a9d8f";
    const scale = both ? [[0, bad], [0.5, ground], [1, good]] : high > 0 ? [[0, ground], [1, good]] : [[0, bad], [1, ground]];
    const bound = Math.max(-low, high);
    const [bx, by_] = [best[column], row === column ? 0 : best[row]];
    const ink = dark ? "#93a0ad" : "#66727f";
    place.style.height = `${Math.min(130 + 44 * Math.max(lines.length, 2), 760)}px`;
    Plotly.react(place, [{
      type: "heatmap", x: grid[column].values, y: lines, z, xgap: 2, ygap: 2, colorscale: scale,
      zmin: both ? -bound : low, zmax: both ? bound : high, colorbar: { outlinewidth: 0, title: { text: title, side: "right" } },
      texttemplate: grid[column].values.length <= 16 ? "%{z:,.4~g}" : "", hovertemplate: "%{x}, %{y}: %{z:,.6~g}<extra></extra>",
    }], {
      margin: { l: 90, r: 20, t: 14, b: 54 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12, color: ink }, modebar: { bgcolor: "rgba(0,0,0,0)" },
      xaxis: { type: "category", title: { text: grid[column].key }, automargin: true },
      yaxis: { type: "category", title: { text: row === column ? "" : grid[row].key }, automargin: true },
      shapes: [{ type: "rect", x0: bx - 0.5, x1: bx + 0.5, y0: by_ - 0.5, y1: by_ + 0.5, line: { color: dark ? "#fff" : "#1d2733", width: 2 } }],
    }, OPTIONS);
  };
  draw();
}
