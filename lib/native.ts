import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { QgemmError } from './errors.js';
import type { NativeAddon } from './native-types.js';

/** Reads whether this Linux process runs on musl. Asked only when the glibc binary does not load: it costs ~10 ms. */
function isMusl(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}

/** Paths where the binary may lie: a local build first, then the prebuilt ones that the npm package carries. */
function candidates(root: string): string[] {
  const prebuilds = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  const names = process.platform === 'linux' ? ['qgemm.glibc.node', 'qgemm.musl.node', 'qgemm.node'] : ['qgemm.node'];
  return [join(root, 'build', 'Release', 'qgemm.node'), ...names.map((name) => join(prebuilds, name))];
}

function load(): NativeAddon {
  const root = join(__dirname, '..');
  const paths = candidates(root);
  let failure: unknown;
  for (const path of paths) {
    if (!existsSync(path)) continue;
    try {
      return require(path) as NativeAddon;
    } catch (error) {
      // The addon's own refusal (a bad QGEMM_* variable) carries a code of ours; it is the answer, not a reason to go on.
      const code = (error as { code?: unknown }).code;
      if (typeof code === 'string' && code.startsWith('ERR_QGEMM_')) {
        throw new QgemmError(code as QgemmError['code'], (error as Error).message);
      }
      failure ??= error;
    }
  }
  const libc = process.platform === 'linux' ? `, ${isMusl() ? 'musl' : 'glibc'}` : '';
  const reason = failure instanceof Error ? ` The first one found failed to load: ${failure.message}` : '';
  throw new QgemmError(
    'ERR_QGEMM_ADDON',
    `qgemm has no native binary for this system (${process.platform}, ${process.arch}${libc}, Node ${process.versions.node}). ` +
      `Tried: ${paths.join(', ')}.${reason} In a clone of the repository, run "npm run build:native".`,
    { cause: failure },
  );
}

/** The native addon, loaded once per JavaScript thread. What it throws from here on is a {@link QgemmError}. */
export const native: NativeAddon = load();
native.setErrorClass(QgemmError);
