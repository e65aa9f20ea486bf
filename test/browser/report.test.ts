import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM_ARGS, chromiumPath } from '../support/browser.js';
import { qgemm } from '../support/cli.js';
import { f32, writeSafetensors, type TestTensor } from '../support/safetensors.js';

const HOSTILE = `</script><img src=x onerror="alert('1')">.weight`;
const LONG = `model.${'a_very_long_name_of_a_layer.'.repeat(6)}weight`;

/** Weights of many sizes, whose errors differ: some have outliers. */
function tensors(): Record<string, TestTensor> {
  const made: Record<string, TestTensor> = {
    [HOSTILE]: f32([8, 8], 3),
    [LONG]: f32([32, 16], 4),
    'embed.weight': f32([90, 8], 5),
  };
  for (let i = 0; i < 40; i++) {
    const tensor = f32([16 + i, 96], i);
    if (i % 3 === 0) (tensor.data as Float32Array)[7] = 40;
    made[`encoder.layer.${i}.attention.output.dense.weight`] = tensor;
    made[`encoder.layer.${i}.attention.output.dense.bias`] = f32([16 + i], i);
  }
  return made;
}

/** Relative luminance of a colour as browsers write it, `rgb(1, 2, 3)`. */
function luminance(colour: string): number {
  const [r, g, b] = colour.match(/[0-9.]+/g)!.map((part) => {
    const value = Number(part) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

const name = 'the report in Chromium';
const missing = 'skipped, there is no Chromium: apt-get install chromium, or QGEMM_TEST_CHROMIUM=/path/to/it';

describe.skipIf(chromiumPath === undefined)(chromiumPath === undefined ? `${name} (${missing})` : name, () => {
  let folder: string;
  let report: string;
  let browser: Browser;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'qgemm-browser-'));
    report = join(folder, 'report.html');
    const input = writeSafetensors(join(folder, 'model.safetensors'), tensors());
    const { status, stderr } = qgemm('convert', input, '-o', join(folder, 'out'), '--report', report, '--quiet');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    browser = await chromium.launch({ executablePath: chromiumPath!, args: [...CHROMIUM_ARGS] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens the report; whatever the browser complains about, and every request but for the page itself, is in `complaints`. */
  async function open(options: BrowserContextOptions = {}): Promise<{ page: Page; complaints: string[] }> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    const complaints: string[] = [];
    const url = pathToFileURL(report).href;
    page.on('console', (message) => complaints.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
    page.on('dialog', (dialog) => void (complaints.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
    page.on('request', (request) => request.url() === url || complaints.push(`request: ${request.url()}`));
    await page.goto(url);
    return { page, complaints };
  }

  const column = (page: Page, index: number): Promise<string[]> =>
    page.locator(`table.tensors tbody tr td:nth-child(${index})`).allInnerTexts();

  it('loads without a complaint, a request, or running what is in a name', async () => {
    const { page, complaints } = await open();
    expect(await page.title()).toMatch(/^qgemm report: /);
    expect(await page.locator('table.tensors tbody tr').count()).toBe(43);
    expect(await page.locator('img').count()).toBe(0);
    expect(await column(page, 1)).toContain(HOSTILE);
    expect(complaints).toEqual([]);
  });

  it('sorts by the heading that is pressed, by mouse and by keyboard', async () => {
    const { page, complaints } = await open();
    await page.click('th button >> text="SQNR"');
    const numbers = async (): Promise<number[]> =>
      (await column(page, 5)).map((text) => Number.parseFloat(text) || 1e308);
    const down = await numbers();
    expect(down).toEqual([...down].sort((a, b) => b - a));
    expect(new Set(down).size).toBeGreaterThan(20);
    await page.keyboard.press('Enter');
    expect(await numbers()).toEqual([...down].sort((a, b) => a - b));
    await page.click('th button >> text="tensor"');
    const names = await column(page, 1);
    expect(names).toEqual([...names].sort().reverse());
    expect(await page.locator('th[aria-sort]').allInnerTexts()).toEqual([expect.stringMatching(/^tensor/)]);
    expect(complaints).toEqual([]);
  });

  it('shows a larger picture when it is pressed, and the table stays where it was', async () => {
    const { page } = await open();
    const size = (selector: string): Promise<{ width: number; height: number } | null> =>
      page.locator(selector).first().boundingBox();
    const [table, picture] = [await size('table.tensors'), await size('details svg')];
    await page.locator('details summary').first().click();
    const enlarged = await size('details svg');
    expect(enlarged!.height).toBeGreaterThan(3 * picture!.height);
    expect(await page.locator('details[open] figcaption').first().innerText()).toMatch(/^values, from −/);
    expect((await size('table.tensors'))!.width).toBeLessThanOrEqual(table!.width + 1);
  });

  const colour = (page: Page, selector: string, property: 'color' | 'backgroundColor'): Promise<string> =>
    page.evaluate(`getComputedStyle(document.querySelector(${JSON.stringify(selector)})).${property}`);
  const background = (page: Page): Promise<string> => colour(page, 'body', 'backgroundColor');

  /** Contrast of texts to the page, as WCAG defines it. */
  async function contrasts(page: Page): Promise<number[]> {
    const back = luminance(await background(page));
    const selectors = ['h1', 'td', '.soft', 'tr.kept td', '.bars .value'];
    const texts = await Promise.all(selectors.map(async (one) => luminance(await colour(page, one, 'color'))));
    return texts.map((text) => (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05));
  }

  it('is readable on a light and on a dark screen', async () => {
    const [light, dark] = [await open({ colorScheme: 'light' }), await open({ colorScheme: 'dark' })];
    expect(await background(light.page)).toBe('rgb(255, 255, 255)');
    expect(await background(dark.page)).not.toBe('rgb(255, 255, 255)');
    for (const { page } of [light, dark])
      for (const contrast of await contrasts(page)) expect(contrast).toBeGreaterThan(4.5);
  });

  it('prints in black on white, also from a dark screen, on a few pages', async () => {
    const { page } = await open({ colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print' });
    expect(await background(page)).toBe('rgb(255, 255, 255)');
    for (const contrast of await contrasts(page)) expect(contrast).toBeGreaterThan(7);
    // Chromium repeats the heading on every page, but not the buttons in it.
    expect(await page.evaluate('getComputedStyle(document.querySelector("th button")).display')).toBe('contents');
    const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
    const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)!.length;
    expect(pages).toBeGreaterThan(1);
    expect(pages).toBeLessThan(8);
  });

  it('fits a narrow screen: only the table scrolls sideways', async () => {
    const { page } = await open({ viewport: { width: 390, height: 800 } });
    const [content, screen] = await page.evaluate<[number, number]>(
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
    );
    expect(content).toBe(screen);
  });

  it('leaves screenshots to look at, in the folder that QGEMM_TEST_SCREENSHOTS names', async () => {
    const target = process.env['QGEMM_TEST_SCREENSHOTS'] ?? folder;
    for (const [kind, options] of Object.entries({
      light: { colorScheme: 'light' },
      dark: { colorScheme: 'dark' },
      narrow: { viewport: { width: 390, height: 800 } },
    } as Record<string, BrowserContextOptions>)) {
      const { page } = await open(options);
      const path = join(target, `report-${kind}.png`);
      await page.screenshot({ path, fullPage: true });
      expect(statSync(path).size).toBeGreaterThan(20_000);
    }
  });
});
