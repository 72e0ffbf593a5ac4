import { figures, idsOf, type Measured, type Metric, metrics, number, type SubjectId, subjects } from "./report.ts";

const panel = { width: 430, height: 212, columns: 2 };
const margin = 20;
const bars = { left: 120, top: 34, step: 22, height: 14, longest: 215 };

/** A light and a dark theme, with a background, so that the chart is readable on any page. */
const style = `
    svg { background: #fff; }
    .page { fill: #ffffff; }
    text { fill: #1f2328; font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
    .title { font-weight: 600; font-size: 13px; }
    .note { fill: #59636e; }
    .own { fill: #0969da; }
    .other { fill: #afb8c1; }
    .spread { stroke: #1f2328; stroke-width: 1; }
    @media (prefers-color-scheme: dark) {
      svg { background: #0d1117; }
      .page { fill: #0d1117; }
      text { fill: #f0f6fc; }
      .note { fill: #9198a1; }
      .own { fill: #4493f8; }
      .other { fill: #57606a; }
      .spread { stroke: #f0f6fc; }
    }`;

/** The medians as bars, with a line from the smallest to the largest value; one panel per metric. */
export function plot(measured: Measured): string {
  const all = idsOf(metrics);
  const width = panel.columns * panel.width + 2 * margin;
  const height = Math.ceil(all.length / panel.columns) * panel.height + 2 * margin;
  const panels = all.map((metric, index) => {
    const x = margin + (index % panel.columns) * panel.width;
    const y = margin + Math.floor(index / panel.columns) * panel.height;
    return `  <g transform="translate(${String(x)} ${String(y)})">\n${drawPanel(measured, metric)}  </g>\n`;
  });
  return `\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(width)} ${String(height)}" role="img">
  <title>This stack compared with the others: medians, with the smallest and the largest figure</title>
  <style>${style}
  </style>
  <rect class="page" width="${String(width)}" height="${String(height)}"/>
${panels.join("")}</svg>
`;
}

function drawPanel(measured: Measured, metric: Metric): string {
  const rows = idsOf(subjects).flatMap((subject) => {
    const spread = figures(measured, subject, metric);
    return spread ? [{ subject, spread }] : [];
  });
  const longest = Math.max(...rows.map(({ spread }) => spread.max));
  const x = (value: number) => bars.left + (longest > 0 ? (value / longest) * bars.longest : 0);
  const { title, better } = metrics[metric];
  const lines = rows.map(({ subject, spread }, index) => {
    const top = bars.top + index * bars.step;
    const middle = top + bars.height / 2;
    return [
      text(bars.left - 8, middle, subjects[subject], { end: true }),
      `<rect class="${classOf(subject)}" x="${String(bars.left)}" y="${String(top)}" width="${px(x(spread.median) - bars.left)}" height="${String(bars.height)}"/>`,
      `<path class="spread" d="M${px(x(spread.min))} ${px(middle)}H${px(x(spread.max))}"/>`,
      text(x(spread.max) + 6, middle, number(spread.median)),
    ];
  });
  return [text(0, 12, title, { mark: `${better} is better` }), ...lines.flat()].map((line) => `    ${line}\n`).join("");
}

function text(x: number, y: number, content: string, { end = false, mark = "" } = {}): string {
  const anchor = end ? ' text-anchor="end"' : "";
  const title = mark === "" ? "" : ' class="title"';
  const note = mark === "" ? "" : ` <tspan class="note" font-weight="400">${mark}</tspan>`;
  return `<text${title} x="${px(x)}" y="${px(y)}" dy="0.35em"${anchor}>${content}${note}</text>`;
}

function classOf(subject: SubjectId): string {
  return subject === "a" ? "own" : "other";
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
