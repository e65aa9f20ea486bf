// One picture of a run: for each number of threads and precision, GOPS of ours as bars, of the peers as dots, and the
// limit of the machine as a line across each bar. An SVG that needs nothing else, in light and dark.
import { gops, highestPeak } from './report.mjs';

const WIDTH = 1000; // at least
const SLOT = 22; // of one shape, at least
const WIDEST_SLOT = 40;
const GROUP = 84; // of one size of weights, at least: its label
const GAP = 14; // between groups
const LEFT = 70;
const HEADER = 56;
const HEIGHT = 190;
const TOP = 34;
const BOTTOM = 54;
const PANEL = TOP + HEIGHT + BOTTOM;

const STYLE = `
text { font: 11px system-ui, "DejaVu Sans", sans-serif; fill: #333; }
.title { font-size: 14px; font-weight: bold; } .small { font-size: 10px; fill: #666; }
.paper { fill: #fff; } .grid { stroke: #ddd; } .axis { stroke: #888; }
.ours { fill: #2f6fb7; } .ort { fill: #d95f02; } .torch { fill: #1b9e77; }
.limit { stroke: #111; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd; } .small { fill: #aaa; }
  .paper { fill: #14181d; } .grid { stroke: #333; } .axis { stroke: #777; }
  .ours { fill: #5b9bd5; } .ort { fill: #ff9d4d; } .torch { fill: #4dd0a7; }
  .limit { stroke: #fff; }
}`;

const escape = (text) =>
  String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
const text = (x, y, content, attributes = '') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escape(content)}</text>`;
const rule = (name, x1, y1, x2, y2) =>
  `<line class="${name}" x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"/>`;

/** GOPS that the machine allows: the instruction's peak or, with few rows, the time of reading the weights. */
function limitGops(row, precision, peak) {
  const bound = precision === 'int8' && row.read ? gops(row, row.read.median) : Infinity;
  const limit = Math.min(peak || Infinity, bound);
  return Number.isFinite(limit) ? limit : undefined;
}

/** The next round number for the top of an axis. */
function ceilingOf(value) {
  const decade = 10 ** Math.floor(Math.log10(value));
  return decade * [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10].find((step) => step * decade >= value);
}

/** Rows in groups of the same weights, with the x of each slot. */
function layOut(rows) {
  const groups = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (last && last.k === row.k && last.n === row.n) last.rows.push(row);
    else groups.push({ k: row.k, n: row.n, rows: [row] });
  }
  const room = (WIDTH - LEFT - 20 - GAP * (groups.length - 1)) / rows.length;
  const slot = Math.max(SLOT, Math.min(WIDEST_SLOT, room));
  let x = LEFT;
  for (const group of groups) {
    group.x = x;
    group.width = Math.max(GROUP, slot * group.rows.length);
    const first = x + (group.width - slot * group.rows.length) / 2;
    group.slots = group.rows.map((row, i) => ({ row, x: first + i * slot }));
    x += group.width + GAP;
  }
  return { groups, slot, right: x };
}

function mark(style, x, y) {
  const [cx, cy] = [x, y].map((v) => v.toFixed(1));
  if (style === 'ours') return `<rect class="ours" x="${x - 5}" y="${y - 5}" width="10" height="10"/>`;
  if (style === 'ort') return `<circle class="ort" cx="${cx}" cy="${cy}" r="4"/>`;
  if (style === 'torch') return `<path class="torch" d="M${cx} ${cy}m0 -5l5 5l-5 5l-5 -5z"/>`;
  return rule('limit', x - 7, y, x + 7, y);
}

function legend(peers) {
  const entries = [
    ['ours', 'qgemm'],
    ...(peers.onnxruntime ? [['ort', peers.onnxruntime]] : []),
    ...(peers.torch ? [['torch', peers.torch]] : []),
    ['limit', 'limit: peak of the instruction, or reading the weights'],
  ];
  let x = LEFT + 7;
  return entries.map(([style, label]) => {
    const at = x;
    x += 34 + label.length * 6.4;
    return `${mark(style, at, 38)}${text(at + 12, 42, label)}`;
  });
}

function yAxis(most, y, right) {
  return [0, 1, 2, 3, 4].flatMap((i) => {
    const v = (most * i) / 4;
    return [
      rule(i === 0 ? 'axis' : 'grid', LEFT - 4, y(v), right, y(v)),
      text(LEFT - 8, y(v) + 4, v.toFixed(0), 'text-anchor="end"'),
    ];
  });
}

function panel({ rows, threads, precision }, top, width) {
  const peers = [
    ['ort', `peer ${precision}`],
    ['torch', `torch ${precision}`],
  ];
  const peak = Math.max(...rows.map((row) => highestPeak(row, precision))) * threads;
  const value = (row, name) => (row.results[name] ? gops(row, row.results[name].median) : undefined);
  const names = [precision, ...peers.map(([, name]) => name)];
  const all = rows.flatMap((row) => [...names.map((name) => value(row, name)), limitGops(row, precision, peak)]);
  const most = ceilingOf(Math.max(...all.filter((v) => v !== undefined)));
  const base = top + TOP + HEIGHT;
  const y = (v) => base - (v / most) * HEIGHT;
  const title = `${precision}, ${threads} ${threads === 1 ? 'thread' : 'threads'}, GOPS`;
  const out = [text(LEFT, top + 18, title, 'class="title"'), ...yAxis(most, y, width - 10)];
  const { groups, slot } = layOut(rows);
  for (const { k, n, x: left, width: room, slots } of groups) {
    out.push(text(left + room / 2, base + 34, `${k} x ${n}`, 'text-anchor="middle"'));
    for (const { row, x } of slots) {
      const center = x + slot / 2;
      const up = y(value(row, precision));
      out.push(
        `<rect class="ours" x="${(x + 4).toFixed(1)}" y="${up.toFixed(1)}" width="${(slot - 8).toFixed(1)}" height="${(base - up).toFixed(1)}"/>`,
      );
      const limit = limitGops(row, precision, peak);
      if (limit) out.push(rule('limit', x + 1, y(limit), x + slot - 1, y(limit)));
      for (const [style, name] of peers) {
        const v = value(row, name);
        if (v !== undefined) out.push(mark(style, center, y(v)));
      }
      out.push(text(center, base + 16, row.m, 'text-anchor="middle" class="small"'));
    }
  }
  out.push(
    text(LEFT - 8, base + 16, 'M', 'text-anchor="end" class="small"'),
    text(LEFT - 8, base + 34, 'K x N', 'text-anchor="end" class="small"'),
  );
  return out.join('\n');
}

/** The SVG of a report as run.mjs writes it. */
export function chart({ rows, model, date, cpu, peers }) {
  const threads = [...new Set(rows.map((row) => row.threads))];
  const panels = threads.flatMap((count) =>
    ['int8', 'float32'].map((precision) => ({
      rows: rows.filter((row) => row.threads === count),
      threads: count,
      precision,
    })),
  );
  const width = Math.max(...panels.map(({ rows: list }) => layOut(list).right + 10), WIDTH);
  const height = HEADER + panels.length * PANEL;
  const heading = `${model}, ${cpu.isa}, ${date.slice(0, 10)}: medians of calls from JavaScript, activations quantized inside`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(heading)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    text(LEFT, 20, heading),
    ...legend(peers),
    ...panels.map((each, i) => panel(each, HEADER + i * PANEL, width)),
    '</svg>\n',
  ].join('\n');
}
