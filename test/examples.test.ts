import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';

const examples = join(__dirname, '..', 'examples');
const run = (name: string) => promisify(execFile)(process.execPath, [join(examples, name)]);

it('linear.mjs: int8 is close to float32, async gives the same bytes', async () => {
  const { stdout } = await run('linear.mjs');
  expect(stdout).toContain('1536 x 384 int8 weights');
  expect(Number(/difference from float32: (\S+)/.exec(stdout)?.[1])).toBeLessThan(0.1);
  expect(stdout).toContain('async result has the same bytes: true');
});

it('worker-threads.mjs: both workers give the bytes of the main thread', async () => {
  const { stdout } = await run('worker-threads.mjs');
  expect(stdout.match(/the same bytes as the main thread/g)).toHaveLength(2);
});

describe('server.mjs', () => {
  let child: ChildProcess | undefined;
  afterEach(() => child?.kill('SIGKILL'));

  async function start(): Promise<string> {
    child = spawn(process.execPath, [join(examples, 'server.mjs')], { env: { ...process.env, PORT: '0' } });
    let stderr = '';
    child.stderr!.on('data', (data: Buffer) => (stderr += data.toString()));
    const first = await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')]);
    const url = /http:\S+/.exec(String(first[0]))?.[0];
    if (url === undefined) throw new Error(`the server did not start: ${stderr}`);
    return url;
  }
  const post = (url: string, body: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer> | string) =>
    fetch(`${url}/forward`, { method: 'POST', body });

  it('multiplies rows, a row giving the same bytes alone and in a batch', async () => {
    const url = await start();
    const health = (await (await fetch(`${url}/health`)).json()) as { n: number; k: number };
    expect(health).toMatchObject({ n: 768, k: 384 });

    const x = Float32Array.from({ length: 3 * health.k }, (_, i) => Math.cos(i));
    const batch = Buffer.from(await (await post(url, x)).arrayBuffer());
    expect(batch).toHaveLength(3 * health.n * 4);
    const alone = Buffer.from(await (await post(url, x.slice(health.k, 2 * health.k))).arrayBuffer());
    expect(alone.equals(batch.subarray(health.n * 4, 2 * health.n * 4))).toBe(true);
    expect(new Set(alone).size).toBeGreaterThan(100);
  });

  it('refuses bodies that are not whole rows, too long ones, and unknown paths', async () => {
    const url = await start();
    expect((await post(url, new Uint8Array(10))).status).toBe(400);
    expect((await post(url, '')).status).toBe(400);
    expect((await fetch(`${url}/other`)).status).toBe(404);
    expect((await post(url, new Uint8Array(5 * 1024 * 1024))).status).toBe(413);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  it('answers 503 while 64 requests are in flight, and serves again when they have gone', async () => {
    const url = await start();
    // Requests that announce a body and never send it.
    const stuck = Array.from({ length: 64 }, () => {
      const pending = request(`${url}/forward`, { method: 'POST', headers: { 'content-length': 384 * 4 } });
      pending.on('error', () => undefined);
      pending.flushHeaders();
      return pending;
    });
    const row = new Float32Array(384);
    const statusBecomes = (wanted: number): Promise<void> =>
      vi.waitFor(async () => expect((await post(url, row)).status).toBe(wanted), { timeout: 20_000 });
    await statusBecomes(503);
    expect((await post(url, row)).headers.get('retry-after')).toBe('1');
    for (const pending of stuck) pending.destroy();
    await statusBecomes(200);
  });

  it('finishes and exits on SIGTERM', async () => {
    const url = await start();
    await (await fetch(`${url}/health`)).arrayBuffer();
    const exit = once(child!, 'exit');
    child!.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  });
});
