// Builds the addon for this platform into prebuilds/<platform>-<arch>/, the folder that the npm package carries and
// lib/native.ts looks into, and on Linux x64 for arm64 too where the cross compiler is there. The build happens in a staged
// copy: prebuildify would empty the repository's own build/.
//   node scripts/prebuild.mjs [--reuse]     (--reuse keeps the objects that npm run test:isas has built for arm64)
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { buildAddonFor, stage } from './cross-build.mjs';
import { found, root, run } from './tools.mjs';

const require = createRequire(import.meta.url);
const prefix = dirname(dirname(process.execPath));
const env = { JOBS: 'max', ...process.env };
if (existsSync(join(prefix, 'include/node/node_api.h'))) env.npm_config_nodedir = prefix;

const platform = `${process.platform}-${process.arch}`;
const target = join(root, 'prebuilds', platform);
rmSync(target, { recursive: true, force: true });
run(
  process.execPath,
  [
    require.resolve('prebuildify/bin.js'),
    '--napi',
    '--strip',
    '--tag-libc',
    '--target',
    `node@${process.versions.node}`,
    '--cwd',
    stage('prebuild'),
    '--out',
    root,
    '--node-gyp',
    require.resolve('node-gyp/bin/node-gyp.js'),
  ],
  { env },
);
if (platform === 'linux-x64' && found('aarch64-linux-gnu-g++'))
  buildAddonFor('arm64', { afresh: !process.argv.includes('--reuse') });
console.log(`prebuilds/${platform}: ${readdirSync(target).join(', ')}`);
