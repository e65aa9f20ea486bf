import type { Histogram } from '../error-stats.js';
import type { VerifiedWeight } from '../verify-report.js';
import { decibels, nameHtml, short } from './html.js';

const HEIGHT = 32;

/** How many weights the chart of the worst ones shows. */
const WORST = 20;

/**
 * A histogram as a small picture with its range below it. The horizontal axis is cut to the bins that are not empty and
 * symmetric about 0, so that the middle of every picture is 0.
 */
export function histogramFigure(title: string, histogram: Histogram): string {
  const { range, counts } = histogram;
  const half = counts.length / 2;
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  if (first < 0) return `<figure><figcaption>${title}: no finite values</figcaption></figure>`;
  const reach = Math.max(half - first, last + 1 - half, 1);
  const shown = counts.slice(half - reach, half + reach);
  const end = short((range * reach) / half);
  const label = range === 0 ? `${title}: all 0` : `${title}, from \u2212${end} to ${end}`;
  return (
    `<figure><svg viewBox="0 0 ${2 * reach} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="Histogram of the ${label}">` +
    `<path d="${outline(shown)}"/><line x1="${reach}" x2="${reach}" y1="0" y2="${HEIGHT}"/></svg>` +
    `<figcaption>${label}</figcaption></figure>`
  );
}

/** The outline of bars that stand side by side, each of width 1, the highest as high as the picture. */
function outline(counts: readonly number[]): string {
  const highest = Math.max(...counts);
  let path = `M0 ${HEIGHT}`;
  let previous: string | undefined;
  counts.forEach((count, i) => {
    // What is not empty stays visible.
    const height = count === 0 ? 0 : Math.max(0.6, (count / highest) * HEIGHT);
    const y = String(Number((HEIGHT - height).toFixed(1)));
    if (y !== previous) path += `H${i}V${y}`;
    previous = y;
  });
  return `${path}H${counts.length}V${HEIGHT}Z`;
}

/** The weights with the largest error relative to their values, as bars. */
export function worstChart(weights: readonly VerifiedWeight[]): string {
  const worst = weights
    .map((weight) => ({ weight, percent: relativeError(weight.sqnr) }))
    .filter(({ percent }) => percent > 0)
    .slice(0, WORST);
  if (worst.length === 0) return '<p>Every weight has exactly the values of the original.</p>';
  const most = Math.max(...worst.map(({ percent }) => (Number.isFinite(percent) ? percent : 0)));
  const rows = worst.map(({ weight: { name, sqnr }, percent }) => {
    const width = Number.isFinite(percent) && most > 0 ? ((percent / most) * 100).toFixed(1) : '100';
    const value = Number.isFinite(percent) ? `${short(percent)} %, ${decibels(sqnr)}` : decibels(sqnr);
    return (
      `<li><span class="name">${nameHtml(name)}</span>` +
      `<svg aria-hidden="true"><rect width="${width}%" height="100%" rx="2"/></svg><span class="value">${value}</span></li>`
    );
  });
  return `<ol class="bars">${rows.join('\n')}</ol>`;
}

/** Root of noise over signal, in percent; infinite for what cannot be compared. */
function relativeError(sqnr: number): number {
  return Number.isNaN(sqnr) ? Infinity : 100 * 10 ** (-sqnr / 20);
}
