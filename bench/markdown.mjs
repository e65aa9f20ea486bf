// The tables of docs/benchmarks.md, made from a run.
import { pairedRatio } from './measure.mjs';
import { gops, highestPeak, limitOf, microseconds, percent, ratio } from './report.mjs';

const table = (titles, rows) =>
  [titles, titles.map((_, i) => (i === 0 ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

const grouped = (text) => text.replace(/\B(?=(\d{3})+$)/g, ',');
const time = (ms) => grouped(microseconds(ms));
const share = (limit) =>
  limit ? `${percent(limit.share)} (${percent(limit.best)})${limit.of === 'bandwidth' ? ' b' : ''}` : '-';

function shapeTable(rows) {
  const has = (name) => rows.some(({ results }) => results[name]);
  const several = rows[0].threads > 1;
  const columns = [
    ['M, K, N', ({ m, k, n }) => `${m}, ${k}, ${n}`],
    ['int8 µs, median (best)', ({ results: { int8 } }) => `${time(int8.median)} (${time(int8.best)})`],
    ['GOPS', (row) => gops(row, row.results.int8.median).toFixed(0)],
    ['of limit, median (best)', (row) => share(limitOf(row, 'int8'))],
  ];
  const compare = (title, theirs, name) =>
    has(theirs) &&
    columns.push(
      [`${title} µs`, ({ results }) => time(results[theirs].median)],
      ['ratio', ({ results }) => ratio(pairedRatio(results[theirs], results[name]))],
    );
  const scaling = (name) =>
    several &&
    columns.push(['of 1 thread', ({ results }) => ratio(pairedRatio(results[`${name} 1 thread`], results[name]))]);
  scaling('int8');
  compare('onnxruntime int8', 'peer int8', 'int8');
  compare('PyTorch int8', 'torch int8', 'int8');
  columns.push(
    ['float32 µs', ({ results }) => time(results.float32.median)],
    ['GOPS', (row) => gops(row, row.results.float32.median).toFixed(0)],
    ['of limit, median (best)', (row) => share(limitOf(row, 'float32'))],
  );
  scaling('float32');
  compare('onnxruntime float32', 'peer float32', 'float32');
  return table(
    columns.map(([title]) => title),
    rows.map((row) => columns.map(([, cell]) => cell(row))),
  );
}

function summaryTable(summaries) {
  const cells = (part) => [part.geometricMean.toFixed(2), `${part.least.toFixed(2)} (${part.leastAt})`];
  return table(
    ['ratio of times', 'medians: geometric mean', 'least', 'bests: geometric mean', 'least'],
    summaries.map(({ title, median, best }) => [title, ...cells(median), ...cells(best)]),
  );
}

function callsTable({ tiny, gaps }) {
  return table(
    ['', 'best', 'median'],
    [
      ['`forward`, M = 1, K = 8, N = 8', `${tiny.sync.best.toFixed(2)} µs`, `${tiny.sync.median.toFixed(2)} µs`],
      [
        '`forwardAsync`, the same, back-to-back awaits',
        `${tiny.async.best.toFixed(1)} µs`,
        `${tiny.async.median.toFixed(1)} µs`,
      ],
      [
        'largest gap of a 1 ms timer during `forwardAsync` of 512 x 4096 x 4096',
        `${gaps.best.toFixed(1)} ms`,
        `${gaps.median.toFixed(1)} ms`,
      ],
    ],
  );
}

function neighbourTable({ rows }) {
  return table(
    [
      'threads, M, K, N',
      'quiet µs',
      'p50 µs',
      'p99 µs',
      'p99 of the loop µs',
      'p99 ratio',
      'p99 of the crew µs',
      'p99 ratio',
      'mean µs',
      'mean of the crew µs',
      'p50 / quiet',
      'p50 / 1 thread',
      'lost ‰',
      'loop ‰',
    ],
    rows.map((row) => [
      `${row.threads}, ${row.m}, ${row.k}, ${row.n}`,
      ...[row.quiet, row.call.p50, row.call.p99, row.loop.p99].map(time),
      row.p99ToLoop.toFixed(2),
      row.crew ? time(row.crew.p99) : '-',
      row.p99ToCrew?.toFixed(2) ?? '-',
      time(row.call.mean),
      row.crew ? time(row.crew.mean) : '-',
      ...[row.medianToQuiet, row.medianToOneThread].map((value) => value.toFixed(2)),
      ...[row.call.lost, row.loop.lost].map((share) => (share * 1e3).toFixed(1)),
    ]),
  );
}

function pauseTable(rows) {
  return table(
    ['threads, M, K, N', ...rows[0].pauses.map(({ pause }) => `${pause} µs before each call`)],
    rows.map(({ threads, shape, pauses }) => [
      `${threads}, ${shape.join(', ')}`,
      ...pauses.map(({ median }) => time(median)),
    ]),
  );
}

/** A section for docs/benchmarks.md. "b": of bandwidth. */
export function markdown(report) {
  const { date, command, model, node, cpu, peers, instructions, rows, summaries, calls, neighbours, pauses } = report;
  const most = (precision) => Math.max(...rows.map((row) => highestPeak(row, precision))).toFixed(0);
  const names = [node, ...Object.values(peers)].join(', ');
  const parts = [
    `## ${model}, ${cpu.isa}`,
    `${date.slice(0, 10)}; Node ${names}; \`${command}\`. Peaks: ${most('int8')} GOPS (\`${instructions.int8}\`), ${most('float32')} GOPS (\`${instructions.float32}\`). "b": of bandwidth.`,
  ];
  for (const threads of new Set(rows.map((row) => row.threads))) {
    parts.push(
      `### ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
      summaryTable(summaries.filter((part) => part.threads === threads)),
      shapeTable(rows.filter((row) => row.threads === threads)),
    );
  }
  if (calls) parts.push('### Calls', callsTable(calls));
  if (neighbours?.rows) parts.push('### Busy neighbours', neighbourTable(neighbours));
  if (pauses) parts.push('### Pauses', pauseTable(pauses));
  return `${parts.join('\n\n')}\n`;
}
