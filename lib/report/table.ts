import { formatBytes } from '../cli/text.js';
import type { VerifiedTensor, VerifiedWeight, VerifyReport } from '../verify-report.js';
import { histogramFigure } from './charts.js';
import { decibels, escapeHtml, nameHtml, short } from './html.js';

/** One cell: what is read, and what its column is sorted by. */
interface Cell {
  readonly html: string;
  readonly value: string | number;
}

interface Row {
  readonly kept: boolean;
  readonly cells: readonly Cell[];
  readonly pictures: string;
}

const COLUMNS: readonly { title: string; type: 'text' | 'number'; hint: string }[] = [
  { title: 'tensor', type: 'text', hint: 'name in the original' },
  { title: 'shape', type: 'number', hint: 'in the original; sorted by the number of values' },
  { title: 'stored as', type: 'text', hint: 'how the output holds it' },
  { title: 'bits', type: 'number', hint: 'bits per value, scales and sums included' },
  { title: 'SQNR', type: 'number', hint: 'energy of the values over that of the error; 6 dB are one bit' },
  { title: 'cosine', type: 'number', hint: 'of the angle between original and output' },
  { title: 'max error', type: 'number', hint: 'largest absolute difference' },
  { title: 'before', type: 'number', hint: 'bytes in the original' },
  { title: 'after', type: 'number', hint: 'bytes in the output' },
  { title: 'share', type: 'number', hint: 'share of the output' },
];

/** The table of all tensors: weights as they come, then those that are kept, largest first. */
export function tensorTable({ weights, keptTensors, bytesAfter }: VerifyReport): string {
  const kept = [...keptTensors].sort((a, b) => b.bytes - a.bytes);
  const rows = [
    ...weights.map((weight) => weightRow(weight, bytesAfter)),
    ...kept.map((one) => keptRow(one, bytesAfter)),
  ];
  const pictures = rows.some((row) => row.pictures !== '');
  const head = COLUMNS.map(({ title, type, hint }) => {
    return `<th scope="col" data-type="${type}"><button type="button" title="${hint}">${title}</button></th>`;
  });
  if (pictures) head.push('<th scope="col">values and errors</th>');
  const lines = rows.map((row) => rowHtml(row, pictures));
  return (
    `<div class="scroll"><table class="tensors"><caption class="soft hint">${rows.length} ${rows.length === 1 ? 'tensor' : 'tensors'}. Press a heading to sort by it` +
    `${pictures ? ', a picture to enlarge it' : ''}.</caption>` +
    `<thead><tr>${head.join('')}</tr></thead>\n<tbody>\n${lines.join('\n')}\n</tbody></table></div>`
  );
}

function rowHtml({ kept, cells, pictures }: Row, withPictures: boolean): string {
  const columns = cells.map(({ html, value }) => `<td data-value="${escapeHtml(String(value))}">${html}</td>`);
  if (withPictures) columns.push(`<td>${pictures}</td>`);
  return `<tr${kept ? ' class="kept"' : ''}>${columns.join('')}</tr>`;
}

function weightRow(weight: VerifiedWeight, total: number): Row {
  const { name, shape, scheme, sqnr, cosine, maxError, bitsPerWeight, bytesBefore, bytesAfter, histograms } = weight;
  const pictures =
    histograms === undefined
      ? ''
      : `<details><summary>${histogramFigure('values', histograms.weights)}${histogramFigure('errors', histograms.errors)}</summary></details>`;
  const figures = [
    bits(bitsPerWeight),
    { html: decibels(sqnr), value: sortable(sqnr) },
    { html: Number.isNaN(cosine) ? '' : cosine.toFixed(6), value: sortable(cosine) },
    { html: Number.isNaN(maxError) ? '' : short(maxError), value: sortable(maxError) },
  ];
  const cells = [
    nameCell(name),
    shapeCell(shape),
    schemeCell(scheme),
    ...figures,
    bytes(bytesBefore),
    bytes(bytesAfter),
  ];
  return { kept: false, cells: [...cells, share(bytesAfter, total)], pictures };
}

function keptRow({ name, dtype, shape, bytes: size }: VerifiedTensor, total: number): Row {
  const elements = shape.reduce((product, dim) => product * dim, 1);
  const exact = { html: '', value: '1e308' };
  const figures = [bits((8 * size) / Math.max(1, elements)), { ...exact, html: 'same bytes' }];
  const cells = [nameCell(name), shapeCell(shape), schemeCell(dtype), ...figures];
  const errors = [
    { html: '', value: 1 },
    { html: '', value: 0 },
  ];
  return { kept: true, cells: [...cells, ...errors, bytes(size), bytes(size), share(size, total)], pictures: '' };
}

const nameCell = (name: string): Cell => ({ html: nameHtml(name), value: name });
const schemeCell = (scheme: string): Cell => ({ html: escapeHtml(scheme), value: scheme });
const bits = (value: number): Cell => ({ html: value.toFixed(2), value });
const bytes = (value: number): Cell => ({ html: formatBytes(value), value });
const shapeCell = (shape: readonly number[]): Cell => ({
  html: `[${shape.join(', ')}]`,
  value: shape.reduce((product, dim) => product * dim, 1),
});
const share = (value: number, total: number): Cell => ({
  html: `${((100 * value) / Math.max(1, total)).toFixed(1)} %`,
  value,
});

/** What cannot be compared is worse than anything; numbers that HTML cannot hold become very large ones. */
function sortable(value: number): number {
  if (Number.isNaN(value)) return -1e308;
  return Math.min(1e308, Math.max(-1e308, value));
}
