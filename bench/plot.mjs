/** Bars beside each other, as SVG that README shows on a light ground and on a dark one. */

const WIDTH = 720;
const HEIGHT = 300;
const MARGIN = { top: 48, right: 16, bottom: 44, left: 16 };
const COLOURS = ["#2563eb", "#d97706", "#f0b45b", "#059669", "#9333ea"];

/**
 * @param {object} chart
 * @param {string} chart.title
 * @param {string[]} chart.series
 * @param {{ name: string, values: number[] }[]} chart.groups a value for each of the series
 * @param {(value: number) => string} chart.told a value as it stands above its bar
 * @param {boolean} [chart.logarithmic]
 */
export function bars({ title, series, groups, told, logarithmic = false }) {
  const all = groups.flatMap(({ values }) => values);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const share = (value) => (logarithmic ? (Math.log(value / least) + 0.4) / (Math.log(most / least) + 0.4) : value / most);
  const ground = HEIGHT - MARGIN.bottom;
  const groupWidth = (WIDTH - MARGIN.left - MARGIN.right) / groups.length;
  const barWidth = Math.min(60, (groupWidth * 0.8) / series.length);
  const parts = groups.flatMap(({ name, values }, group) => {
    const middle = MARGIN.left + groupWidth * (group + 0.5);
    const label = text(middle, ground + 18, name);
    const columns = values.map((value, index) => {
      const height = share(value) * (ground - MARGIN.top - 20);
      const x = middle + (index - series.length / 2) * barWidth;
      const bar = `<rect x="${(x + 2).toFixed(1)}" y="${(ground - height).toFixed(1)}" width="${(barWidth - 4).toFixed(1)}" height="${height.toFixed(1)}" fill="${COLOURS[index]}"/>`;
      return bar + text(x + barWidth / 2, ground - height - 5, told(value));
    });
    return [label, ...columns];
  });
  const legend = series.map((name, index) => {
    const x = MARGIN.left + index * Math.min(230, (WIDTH - MARGIN.left - MARGIN.right) / series.length);
    return `<rect x="${x}" y="${HEIGHT - 16}" width="10" height="10" fill="${COLOURS[index]}"/>${text(x + 16, HEIGHT - 7, name, "start")}`;
  });
  const scale = logarithmic ? " (logarithmic)" : "";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${title}">
<style>text { fill: #1f2328 } @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }</style>
${text(MARGIN.left, 22, title + scale, "start", 'font-size="15" font-weight="600"')}
${parts.join("\n")}
${legend.join("\n")}
</svg>
`;
}

function text(x, y, content, anchor = "middle", more = "") {
  return `<text x="${x.toFixed?.(1) ?? x}" y="${y.toFixed?.(1) ?? y}" text-anchor="${anchor}" ${more}>${content.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</text>`;
}
