// The addon for another architecture, without touching build/, and Node binaries of other architectures and versions.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { cache, root, run } from './tools.mjs';

const COMPILERS = {
  arm64: {
    CC: 'aarch64-linux-gnu-gcc',
    CXX: 'aarch64-linux-gnu-g++',
    AR: 'aarch64-linux-gnu-ar',
    STRIP: 'aarch64-linux-gnu-strip',
  },
};

/** A folder that shows the addon's sources, so that a build there leaves build/ of the repository alone. */
export function stage(name) {
  const folder = join(cache, name);
  mkdirSync(folder, { recursive: true });
  for (const item of ['binding.gyp', 'native', 'node_modules', 'package.json', 'scripts']) {
    rmSync(join(folder, item), { force: true });
    symlinkSync(join(root, item), join(folder, item));
  }
  return folder;
}

/** Cross-builds the addon for Linux on `arch` into prebuilds/, where lib/native.ts finds it; `afresh`: every object anew. */
export function buildAddonFor(arch, { afresh = false } = {}) {
  const folder = stage(`build-${arch}`);
  const env = { ...process.env, ...COMPILERS[arch] };
  const commands = afresh ? [] : ['configure', 'build'];
  const args = [...commands, `--arch=${arch}`, `--directory=${folder}`];
  run(process.execPath, [join(root, 'scripts/build-native.mjs'), ...args], { env });
  const target = join(root, 'prebuilds', `linux-${arch}`);
  mkdirSync(target, { recursive: true });
  const binary = join(target, 'qgemm.glibc.node');
  copyFileSync(join(folder, 'build/Release/qgemm.node'), binary);
  run(COMPILERS[arch].STRIP, ['--strip-unneeded', binary]);
  return binary;
}

/** Path of a Linux Node of that architecture and version ("24" for the newest 24), from npm, kept in .cache/. */
export function fetchNode(arch, version) {
  const folder = join(cache, `node-${arch}-${version}`);
  const binary = join(folder, 'bin/node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  const packed = execFileSync('npm', ['pack', `node-linux-${arch}@${version}`, '--silent'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const archive = join(folder, packed.trim().split('\n').at(-1));
  run('tar', ['-xzf', archive, '-C', folder, '--strip-components=1']);
  rmSync(archive);
  return binary;
}
