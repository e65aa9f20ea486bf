/** Style of the report: light and dark as the reader prefers, and black on white when printed. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --soft: #59636e; --back: #ffffff; --card: #f4f6f8; --line: #d5dbe1;
  --bar: #2a6fb8; --error: #b5522b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ec; --soft: #9da7b1; --back: #14181c; --card: #1f252b;
  --line: #39424b; --bar: #6aaaf0; --error: #ef9a6f; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 84rem; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; } .soft { color: var(--soft); } bdi { overflow-wrap: anywhere; }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0 0; }
dl > div { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .9rem; min-width: 9rem; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
.sizes { display: grid; grid-template-columns: auto 1fr; gap: .3rem .75rem; align-items: center; margin-top: 1rem; color: var(--soft); font-size: .85rem; }
.sizes svg { width: 100%; height: 1.1rem; } .sizes .before { fill: var(--soft); } .sizes .after { fill: var(--bar); }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; overflow-x: auto;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.problems { color: var(--bad); }
.bars { list-style: none; margin: 0; padding: 0; }
.bars li { display: grid; grid-template-columns: minmax(8rem, 24rem) 1fr 10.5rem; gap: .75rem; align-items: center; padding: .1rem 0; }
.bars .name { text-align: right; font-size: .85rem; } .bars svg { width: 100%; height: .9rem; fill: var(--error); }
.bars .value { font-size: .85rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .55rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; white-space: nowrap; }
th { background: var(--card); font-weight: 600; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 14rem; }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
th[aria-sort=ascending] button::after { content: " \\25b2"; } th[aria-sort=descending] button::after { content: " \\25bc"; }
tr.kept td { color: var(--soft); }
summary { cursor: pointer; list-style: none; display: flex; gap: .5rem; justify-content: flex-end; }
summary::-webkit-details-marker { display: none; }
summary:focus-visible { outline: 2px solid var(--bar); }
figure { margin: 0; } figure svg { display: block; width: 5.5rem; height: 1.4rem; border-bottom: 1px solid var(--line); }
figure path { fill: var(--bar); } figure + figure path { fill: var(--error); }
figure line { stroke: var(--soft); stroke-width: 1; vector-effect: non-scaling-stroke; stroke-dasharray: 2 2; }
figcaption { display: none; font-size: .8rem; color: var(--soft); text-align: center; }
details[open] summary { flex-direction: column; } details[open] figure svg { width: 11.5rem; height: 6rem; }
details[open] figcaption { display: block; }
@media (max-width: 45rem) { .bars li { grid-template-columns: 1fr; gap: .1rem; padding: .3rem 0; } .bars .name { text-align: left; } }
@media print { :root { color-scheme: light; --text: #000; --soft: #444; --back: #fff; --card: #f2f2f2; --line: #bbb;
  --bar: #2a6fb8; --error: #b5522b; --bad: #b3261e; }
  @page { size: A4 landscape; margin: 12mm; }
  html { font-size: 10px; } body { padding: 0; max-width: none; font-size: 10px; } h2 { margin-top: 1.2rem; break-after: avoid; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  th, td { padding: .15rem .35rem; } thead { display: table-header-group; } tr, li, figure { break-inside: avoid; }
  th:first-child, td:first-child { min-width: 9rem; } .scroll { overflow: visible; } th button { display: contents; } .hint { display: none; } }
`;

/** Sorts the table by the column whose header is pressed, downwards and upwards in turn. */
export const SCRIPT = `
const table = document.querySelector('table.tensors');
const body = table && table.tBodies[0];
const headers = table ? [...table.tHead.rows[0].cells] : [];
headers.forEach((header, column) => {
  const button = header.querySelector('button');
  if (!button) return;
  button.addEventListener('click', () => {
    const sign = header.getAttribute('aria-sort') === 'descending' ? 1 : -1;
    headers.forEach((other) => other.removeAttribute('aria-sort'));
    header.setAttribute('aria-sort', sign === 1 ? 'ascending' : 'descending');
    const key = (row) => row.cells[column].dataset.value;
    const compare = header.dataset.type === 'text'
      ? (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0)
      : (a, b) => Number(key(a)) - Number(key(b)) || 0;
    const rows = [...body.rows].sort((a, b) => sign * compare(a, b));
    body.append(...rows);
  });
});
`;
