import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../lib/cli/report-file.js';
import { convert, verify, type VerifyReport } from '../lib/index.js';
import { SCRIPT } from '../lib/report/assets.js';
import { reportPage } from '../lib/report/page.js';
import { qgemm } from './support/cli.js';
import { f32, temporaryFolder, writeSafetensors } from './support/safetensors.js';

const HOSTILE = `</script><img src=x onerror="alert('1')">&amp;\u0007.weight`;

async function report(): Promise<VerifyReport> {
  const folder = temporaryFolder();
  const input = writeSafetensors(join(folder, 'in.safetensors'), {
    'a.weight': f32([40, 70], 1),
    'b.weight': { dtype: 'F32', shape: [2, 3], data: Float32Array.of(127, -1, 0, 5, 127, 3) },
    [HOSTILE]: f32([8, 8], 3),
    'c.bias': f32([3], 4),
  });
  const output = join(folder, 'out.safetensors');
  await convert(input, output);
  return verify(input, output, { histograms: true });
}

/** The cells of the table, row by row, as text. */
function rowsOf(page: string): string[][] {
  const body = /<tbody>([^]*?)<\/tbody>/.exec(page)![1]!;
  return [...body.matchAll(/<tr[^>]*>([^]*?)<\/tr>/g)].map(([, row]) =>
    [...row!.matchAll(/<td[^>]*>([^]*?)<\/td>/g)].map(([, cell]) => cell!.replace(/<[^>]*>/g, '')),
  );
}

describe('the HTML report', () => {
  it('lists every tensor with its figures, the worst weights first', async () => {
    const data = await report();
    const page = reportPage(data, 'qgemm verify a b');
    const rows = rowsOf(page);
    expect(rows).toHaveLength(4);
    const [worst] = data.weights;
    expect(rows.map(([, shape]) => shape)).toEqual([
      ...data.weights.map(({ shape }) => `[${shape.join(', ')}]`),
      '[3]',
    ]);
    expect(rows[0]!.slice(2, 6)).toEqual([
      'int8',
      worst!.bitsPerWeight.toFixed(2),
      `${worst!.sqnr.toFixed(2)} dB`,
      worst!.cosine.toFixed(6),
    ]);
    expect(rows.find(([name]) => name === 'b.weight')![4]).toBe('exact');
    expect(rows[3]!.slice(0, 5)).toEqual(['c.bias', '[3]', 'F32', '32.00', 'same bytes']);
    const shares = rows.map((row) => Number.parseFloat(row[9]!));
    expect(shares.reduce((a, b) => a + b)).toBeLessThanOrEqual(100.2);
    expect(page.match(/<svg viewBox/g)).toHaveLength(6);
    expect(page.match(/<li>/g)).toHaveLength(2);
    expect(page).toContain('<pre><code>qgemm verify a b</code></pre>');
  });

  it('escapes what comes from files, and lets nothing but its own script and style run', async () => {
    const page = reportPage(await report(), `qgemm '</code><script>'`);
    expect(page).not.toMatch(/<img|onerror="|<\/code><script>/);
    expect(page).toContain('&lt;/script&gt;');
    expect(page).toContain(String.raw`\u0007`);
    expect(page.match(/<script/g)).toHaveLength(1);
    const script = /<script>([^]*?)<\/script>/.exec(page)![1]!;
    const style = /<style>([^]*?)<\/style>/.exec(page)![1]!;
    for (const text of [script, style]) {
      expect(page).toContain(`'sha256-${createHash('sha256').update(text).digest('base64')}'`);
    }
    expect(page).toContain(`default-src 'none'`);
    // Attributes would need more than the hashes allow, and nothing may be fetched.
    const tags = [...page.replace(/"[^"]*"/g, '""').matchAll(/<[^>]*>/g)].map(([tag]) => tag);
    expect(tags.filter((tag) => / (?:style|src|href|on[a-z]+)=/.test(tag))).toEqual([]);
    expect(style + script).not.toMatch(/https?:|url\(|@import|fetch|import\(/);
  });

  it('has headings with scopes, names for pictures, and styles for dark screens and paper', async () => {
    const page = reportPage(await report(), 'qgemm');
    expect(page.match(/<th scope="col"/g)).toHaveLength(11);
    const pictures = [...page.matchAll(/<svg[^>]*>/g)].map(([tag]) => tag);
    expect(pictures.filter((tag) => !/aria-label="[^"]+"|aria-hidden="true"/.test(tag))).toEqual([]);
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(page).toContain('@media (prefers-color-scheme: dark)');
    expect(page).toContain('@media print');
    // Every element that is opened is closed.
    const open: string[] = [];
    for (const [, close, tag, self] of page
      .replace(/<(script|style)>[^]*?<\/\1>/g, '')
      .matchAll(/<(\/?)([a-z0-9]+)[^>]*?(\/?)>/g)) {
      if (self === '/' || ['meta', 'wbr'].includes(tag!)) continue;
      if (close === '/') expect(open.pop()).toBe(tag);
      else open.push(tag!);
    }
    expect(open).toEqual([]);
  });

  it('names what is not as it should be, and what cannot be compared', async () => {
    const data = await report();
    const weights = data.weights.map((weight) => ({ ...weight, sqnr: NaN, cosine: NaN, maxError: NaN }));
    const mismatches = [{ name: '<b>', problem: 'it is missing' }];
    const page = reportPage({ ...data, weights, mismatches }, 'qgemm');
    expect(page).toContain('<li><bdi>&lt;b&gt;</bdi>: it is missing</li>');
    expect(page.match(/not comparable/g)!.length).toBeGreaterThan(6);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('sorts by the column that is pressed, down and up in turn', () => {
    // The least of a DOM that the script needs.
    const cell = (value: string): object => ({ dataset: { value } });
    const names = ['b', 'a', 'c'];
    const rows = names.map((name, i) => ({ name, cells: [cell(name), cell(['10', '9', '1e308'][i]!)] }));
    const body = { rows, append: (...sorted: typeof rows) => void (body.rows = sorted) };
    const header = (type: string): { press: () => void; sort: () => string | undefined } & Record<string, unknown> => {
      const attributes = new Map<string, string>();
      let press = (): void => undefined;
      return {
        dataset: { type },
        press: () => press(),
        sort: () => attributes.get('aria-sort'),
        getAttribute: (name: string) => attributes.get(name) ?? null,
        setAttribute: (name: string, value: string) => attributes.set(name, value),
        removeAttribute: (name: string) => attributes.delete(name),
        querySelector: () => ({ addEventListener: (_: string, action: () => void) => (press = action) }),
      };
    };
    const headers = [header('text'), header('number')];
    const table = { tBodies: [body], tHead: { rows: [{ cells: headers }] } };
    runInNewContext(SCRIPT, { document: { querySelector: () => table } });
    const order = (): string => body.rows.map(({ name }) => name).join('');
    headers[1]!.press();
    expect([order(), headers[1]!.sort()]).toEqual(['cba', 'descending']);
    headers[1]!.press();
    expect([order(), headers[1]!.sort()]).toEqual(['abc', 'ascending']);
    headers[0]!.press();
    expect([order(), headers[0]!.sort(), headers[1]!.sort()]).toEqual(['cba', 'descending', undefined]);
  });

  it('is written by convert and verify, with the command that makes it again', () => {
    const folder = temporaryFolder();
    const input = writeSafetensors(join(folder, 'my model.safetensors'), { 'a.weight': f32([40, 70], 1) });
    const [output, page] = [join(folder, 'out.safetensors'), join(folder, 'report.html')];
    const run = qgemm('convert', input, '-o', output, '--report', page, '--json', '--quiet');
    expect(run.stderr).toBe('');
    const { errors } = JSON.parse(run.stdout) as { errors: VerifyReport };
    expect(errors).toMatchObject({
      original: input,
      quantized: output,
      weights: [{ name: 'a.weight' }],
      mismatches: [],
    });
    expect(errors.weights[0]!.histograms!.weights.counts.reduce((a, b) => a + b)).toBe(2800);
    const html = readFileSync(page, 'utf8');
    expect(html).toContain(`qgemm convert &#39;${input}&#39; -o ${output} --report ${page} --json --quiet`);
    expect(rowsOf(html)).toHaveLength(1);
    const again = qgemm('verify', input, output, '--report', page);
    expect({ stderr: again.stderr, status: again.status }).toEqual({ stderr: '', status: 0 });
    expect(rowsOf(readFileSync(page, 'utf8'))).toEqual(rowsOf(html));
    expect(readdirSync(folder).sort()).toEqual(['my model.safetensors', 'out.safetensors', 'report.html']);
    const bad = qgemm('verify', input, output, '--report', join(folder, 'none', 'report.html'));
    expect(bad.status).toBe(1);
    expect(bad.stderr).toMatch(/^ERR_QGEMM_IO/);
  });

  it('is made before the output replaces the input', async () => {
    const path = writeSafetensors(join(temporaryFolder(), 'model.safetensors'), { 'a.weight': f32([40, 70], 1) });
    const { errors } = await convert(path, path, { measure: true });
    expect(errors).toMatchObject({ original: path, quantized: path, bytesBefore: 11200, mismatches: [] });
    expect(errors!.weights[0]!.sqnr).toBeGreaterThan(30);
  });
});

describe('the command line in the report', () => {
  it('quotes what a shell would take apart', () => {
    expect(commandLine(['verify', 'a b', "it's", '$x', 'plain-1.2_x', ''])).toBe(
      String.raw`qgemm verify 'a b' 'it'\''s' '$x' plain-1.2_x ''`,
    );
  });
});
