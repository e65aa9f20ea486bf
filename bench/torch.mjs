// PyTorch's int8 Linear as a peer, where "npm run bench:peers -- --torch" has made a virtual environment for it: a Python
// process that times calls on request, so that it takes its turn in every round.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { installedPython } from '../scripts/python.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const requirements = join(here, 'requirements.txt');

/** Below a ceiling on our side, oneDNN gets the same one; FBGEMM ("x86" on this CPU) has none that it would respect. */
const CAPS = { avx2: 'AVX2', avxvnni: 'AVX2_VNNI', avx512: 'AVX512_CORE' };

function ceiling() {
  const cap = CAPS[process.env.QGEMM_MAX_ISA];
  return cap
    ? {
        engines: ['onednn'],
        env: { ONEDNN_MAX_CPU_ISA: cap, ATEN_CPU_CAPABILITY: cap === 'AVX512_CORE' ? 'avx512' : 'avx2' },
        note: `, oneDNN capped to ${cap}`,
      }
    : { engines: ['x86', 'onednn', 'qnnpack'], env: {}, note: '' };
}

/** A child process and a queue of one: a request, and its answer. */
function startChild(interpreter, env) {
  const child = spawn(interpreter, [join(here, 'torch_peer.py')], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise((_, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the PyTorch peer ended with status ${code}`)));
  });
  ended.catch(() => undefined);
  const ask = async (request) => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value } = await Promise.race([answers.next(), ended]);
    if (value === undefined) await ended;
    return JSON.parse(value);
  };
  return { ask, stop: () => child.stdin.end() };
}

/**
 * The peer, or undefined when it is not installed: {name, load(weights), stop()}. `load` gives x, m, threads -> contestants,
 * one for each engine that PyTorch has here.
 */
export async function startTorch() {
  const interpreter = installedPython('bench-torch', requirements);
  if (interpreter === undefined) return undefined;
  const { engines: wanted, env, note } = ceiling();
  const { ask, stop } = startChild(interpreter, env);
  const { version, engines: supported } = await ask({ do: 'hello', engines: wanted });
  const engines = supported.slice(0, 2);
  const folder = mkdtempSync(join(tmpdir(), 'qgemm-bench-'));
  const file = (name, view) => {
    const path = join(folder, name);
    if (view) writeFileSync(path, new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    return path;
  };

  async function load({ n, k, layers, codes, scales }) {
    await ask({ do: 'weights', n, k, layers, engines, codes: file('codes', codes), scales: file('scales', scales) });
    return async (x, m, threads) => {
      await ask({ do: 'input', m, threads, x: file('x', x) });
      return engines.map((engine) => ({
        name: `torch int8 ${engine}`,
        owner: 'torch',
        async: true,
        sample: async (repeats) => (await ask({ do: 'time', engine, repeats })).milliseconds,
        result: async () => {
          await ask({ do: 'result', engine, y: file('y') });
          const bytes = readFileSync(file('y'));
          return new Float32Array(bytes.buffer, bytes.byteOffset, m * n);
        },
      }));
    };
  }
  return {
    name: `PyTorch ${version} int8 Linear (${engines.join(' or ')}${note})`,
    load,
    stop: () => {
      stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
