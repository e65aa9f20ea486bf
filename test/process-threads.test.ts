// What happens when the system gives fewer threads than asked for, or none.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { root } from './support/child.js';

// A limit on a user's threads does not bind root: the child has to run as somebody else, who can read this folder.
function runAsNobody(threads: number, code: string): { status: number | null; stdout: string } {
  const limit = ['--reuid=65534', '--clear-groups', 'prlimit', `--nproc=${threads}`, process.execPath, '-e', code];
  return spawnSync('setpriv', limit, { encoding: 'utf8', cwd: '/' });
}
const load = `const qgemm = require(${JSON.stringify(root)});`;
const native = process.platform === 'linux' && !process.env['QGEMM_TEST_LAUNCHER'];
const possible = native && runAsNobody(1000, `${load} console.log(1);`).stdout === '1\n';
const reason = possible
  ? 'limit on threads of a user'
  : 'not run: needs Linux, no emulator, root, setpriv, and a folder readable by nobody';

describe(`too few threads (${reason})`, () => {
  // Node itself has 7 threads before the pool starts any.
  it.skipIf(!possible).each([7, 8, 11])('%d threads for the whole process: results are right', (threads) => {
    const child = runAsNobody(
      threads,
      `${load} qgemm.setNumThreads(16);
      const [m, n, k] = [128, 512, 512];
      const fill = (length) => new Float32Array(length).map((_, i) => ((i * 7919) % 1000) / 500 - 1);
      const linear = new qgemm.Linear(qgemm.PackedWeights.fromFloat32(fill(n * k), [n, k]));
      const x = fill(m * k);
      const alone = Float32Array.from({ length: m }, (_, i) => linear.forward(x.subarray(i * k, (i + 1) * k))[0]);
      const right = (y) => alone.every((value, i) => Object.is(value, y[i * n]));
      const sync = right(linear.forward(x));
      linear.forwardAsync(x).then((y) => {
        const count = require('node:fs').readdirSync('/proc/self/task').length;
        console.log(sync, right(y), count <= ${threads});
      });`,
    );
    expect(child).toMatchObject({ status: 0, stdout: 'true true true\n' });
  });
});
