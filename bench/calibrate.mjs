// The peak of this core, from register-only loops in native/bench/peak.cc, built on first use.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const addon = join(here, 'build/Release/qgemm_bench.node');
const source = join(here, '../native/bench/peak.cc');

function build() {
  if (existsSync(addon) && statSync(addon).mtimeMs > statSync(source).mtimeMs) return;
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(here, '../scripts/build-native.mjs'), `--directory=${here}`],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`the calibration addon did not build: ${stderr}`);
}

// The instruction that does the work of each ISA's kernels.
const INT8 = { avx512vnni: 'vpdpbusd zmm', avxvnni: 'vpdpbusd ymm', avx2: 'vpmaddubsw ymm' };

/** Functions that measure the peak of int8 and float32 in GOPS; they give 0 where no loop exists for the ISA. */
export function calibration({ isa, features }) {
  build();
  const { peakGops } = createRequire(import.meta.url)(addon);
  const float32 = features.includes('avx512') ? 'vfmadd231ps zmm' : features.includes('avx2') ? 'vfmadd231ps ymm' : '';
  const MILLISECONDS = 1;
  return {
    instructions: { int8: INT8[isa] ?? '', float32 },
    int8: () => peakGops(INT8[isa] ?? '', MILLISECONDS),
    float32: () => peakGops(float32, MILLISECONDS),
  };
}
