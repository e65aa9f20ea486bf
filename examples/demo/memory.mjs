// @ts-check
// Resident memory of one variant, measured in a process of its own: what a server would hold that has loaded the model
// and embedded some texts. Run as a script, it is that process: `node --expose-gc memory.mjs MODEL`, token ids on stdin.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadModel } from 'qgemm';
import { Encoder } from './encoder.mjs';
import { gatherWeights } from './use-lite.mjs';

/**
 * Bytes. `anonymous` belongs to the process alone; `mapped` are pages of files, shared with every other process that
 * has them; both are null where the system does not tell (it does on Linux).
 * @typedef {{ rss: number, anonymous: number | null, mapped: number | null }} Resident
 * @typedef {{ before: Resident, after: Resident }} MemoryUse before loading the model, and after embedding
 */

/**
 * @param {string} model path of the converted model @param {number[][]} ids
 * @returns {Promise<MemoryUse>}
 */
export function measureMemory(model, ids) {
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), model], (error, stdout) =>
      error ? reject(error) : resolve(JSON.parse(stdout)),
    );
    child.stdin?.end(JSON.stringify(ids));
  });
}

/** @returns {Resident} */
function resident() {
  globalThis.gc?.();
  const rss = process.memoryUsage.rss();
  if (process.platform !== 'linux') return { rss, anonymous: null, mapped: null };
  const status = readFileSync('/proc/self/status', 'utf8');
  /** @param {string} name */
  const bytes = (name) => 1024 * Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1]);
  return { rss: bytes('VmRSS'), anonymous: bytes('RssAnon'), mapped: bytes('RssFile') };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  /** @type {number[][]} */
  const ids = JSON.parse(readFileSync(0, 'utf8'));
  const before = resident();
  const encoder = new Encoder(gatherWeights(loadModel(process.argv[2] ?? '')));
  encoder.embed(ids);
  process.stdout.write(JSON.stringify({ before, after: resident() }));
}
