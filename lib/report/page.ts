import { createHash } from 'node:crypto';
import { formatBytes } from '../cli/text.js';
import type { VerifyReport } from '../verify-report.js';
import { version } from '../version.js';
import { SCRIPT, STYLE } from './assets.js';
import { worstChart } from './charts.js';
import { decibels, escapeHtml, nameHtml } from './html.js';
import { tensorTable } from './table.js';

/**
 * The report of a conversion as one HTML page that needs nothing else: no network, no fonts, no files. Everything that comes
 * from model files is escaped, and the page forbids itself all but its own script and style.
 *
 * @param command what makes this report again, as typed into a shell
 */
export function reportPage(report: VerifyReport, command: string): string {
  const title = `qgemm report: ${report.quantized}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${hash(STYLE)}'; script-src '${hash(SCRIPT)}'">
<meta name="generator" content="qgemm ${version}">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>What the conversion cost</h1>
<p>${nameHtml(report.original)} <span class="soft">became</span> ${nameHtml(report.quantized)}</p>
</header>
<main>
${summary(report)}
${sizes(report)}
${problems(report)}
<h2>Largest errors</h2>
<p class="soft">Root mean square of the error, relative to that of the values. The error of weights is not that of the model&#39;s output.</p>
${worstChart(report.weights)}
<h2>Tensors</h2>
${tensorTable(report)}
<h2>Command</h2>
<pre><code>${escapeHtml(command)}</code></pre>
</main>
<footer class="soft"><p>Made by qgemm ${version}.</p></footer>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

function summary({ weights, kept, mismatches, bytesBefore, bytesAfter, total }: VerifyReport): string {
  const some = weights.length > 0;
  const incomparable = weights.some(({ sqnr }) => Number.isNaN(sqnr));
  const items: [string, string][] = [
    ['size', `${formatBytes(bytesBefore)} \u2192 ${formatBytes(bytesAfter)}`],
    ['ratio', `${(bytesBefore / Math.max(1, bytesAfter)).toFixed(2)}\u00d7 smaller`],
    ['converted weights', String(weights.length)],
    ['kept, same bytes', String(kept)],
    ...(some
      ? ([['lowest SQNR', incomparable ? 'not comparable' : decibels(total.minSqnr)]] as [string, string][])
      : []),
    ...(some && !incomparable ? ([['lowest cosine', total.minCosine.toFixed(6)]] as [string, string][]) : []),
    ['not as they should be', String(mismatches.length)],
  ];
  return `<dl>${items.map(([term, value]) => `<div><dt>${term}</dt><dd>${value}</dd></div>`).join('')}</dl>`;
}

/** Two bars, one above the other, with their names. */
function sizes({ bytesBefore, bytesAfter }: VerifyReport): string {
  const most = Math.max(bytesBefore, bytesAfter, 1);
  const bar = (name: string, bytes: number): string =>
    `<span>${name}</span><svg class="${name}" role="img" aria-label="${formatBytes(bytes)}">` +
    `<rect width="${((100 * bytes) / most).toFixed(2)}%" height="100%" rx="2"/></svg>`;
  return `<div class="sizes">${bar('before', bytesBefore)}${bar('after', bytesAfter)}</div>`;
}

function problems({ mismatches }: VerifyReport): string {
  if (mismatches.length === 0) return '';
  const lines = mismatches.map(({ name, problem }) => `<li>${nameHtml(name)}: ${escapeHtml(problem)}</li>`);
  return `<section class="problems"><h2>Not as they should be</h2><ul>${lines.join('\n')}</ul></section>`;
}
