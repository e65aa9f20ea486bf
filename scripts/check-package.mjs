// Packs the library as it would be published and uses it as a stranger would: installed into empty folders with no
// compiler in sight, required, imported, in a worker, on every Node version that can be had.
//   node scripts/check-package.mjs [--no-prebuild]
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fetchNode } from './cross-build.mjs';
import { restore, trim } from './manifest.mjs';
import { cache, found, root, run } from './tools.mjs';

const work = join(cache, 'package');
// The C and C++ libraries of 2018 (g++ 8, Debian 10, RHEL 8), which Node 20 itself asks for.
const LIBRARY_LIMITS = { GLIBC: [2, 28], GLIBCXX: [3, 4, 25] };
const OTHER_NODES = ['22', '24', '26'];
const problems = [];
const check = (condition, message) => condition || problems.push(message);

function pack() {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  trim();
  let output;
  try {
    const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', work];
    output = execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } finally {
    restore();
  }
  const [{ filename, files, size, unpackedSize }] = JSON.parse(output);
  console.log(
    `${filename}: ${files.length} files, ${(size / 1e3).toFixed(0)} kB packed, ${(unpackedSize / 1e3).toFixed(0)} kB unpacked`,
  );
  return { tarball: join(work, filename), files: files.map((file) => file.path) };
}

function checkContents(files) {
  for (const file of [
    'package.json',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cli.js',
  ]) {
    check(files.includes(file), `the package lacks ${file}`);
  }
  check(
    files.some((file) => file.startsWith('prebuilds/')),
    'the package has no prebuilt binary',
  );
  // npm would run node-gyp for a package with a binding.gyp, whatever "gypfile" says, under "npm ci".
  check(!files.includes('binding.gyp'), 'the package carries binding.gyp');
  for (const folder of ['native/', 'test/', 'lib/', 'bench/', 'node_modules/', '.cache/']) {
    check(!files.some((file) => file.startsWith(folder)), `the package carries ${folder}`);
  }
}

const newer = (a, b) => a.map((part, i) => part - (b[i] ?? 0)).find((difference) => difference !== 0) > 0;

function checkLibraries(files) {
  if (!found('objdump')) return console.log('C library versions: not checked, objdump was not found');
  for (const file of files.filter((path) => /^prebuilds\/linux-.*\.node$/.test(path))) {
    const symbols = execFileSync('objdump', ['-T', join(root, file)], { encoding: 'utf8' });
    for (const [library, limit] of Object.entries(LIBRARY_LIMITS)) {
      const versions = [...symbols.matchAll(new RegExp(`${library}_([\\d.]+)`, 'g'))].map(([, text]) =>
        text.split('.').map(Number),
      );
      check(versions.length > 0, `${file}: objdump shows no version of ${library}`);
      const newest = versions.reduce((a, b) => (newer(b, a) ? b : a), []);
      check(!newer(newest, limit), `${file} needs ${library} ${newest.join('.')}, the limit is ${limit.join('.')}`);
      console.log(`${file}: ${library} ${newest.join('.')}`);
    }
  }
}

/** A folder of links to node, npm and a shell: no compiler, no Python, no make. */
function barePath() {
  const bin = join(work, 'bin');
  mkdirSync(bin);
  const which = (name) => execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
  for (const name of ['node', 'npm', 'sh', 'env', 'uname', 'dirname', 'sed']) symlinkSync(which(name), join(bin, name));
  return bin;
}

function install(name, commands, tarball, path) {
  const folder = join(work, name);
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'user', private: true, dependencies: { qgemm: `file:${tarball}` } }),
  );
  // Nothing of the npm that runs this script reaches the one under test, except where packages come from.
  const inherited = Object.entries(process.env).filter(
    ([key]) => !/^npm_/i.test(key) || /registry|cache$|userconfig/.test(key),
  );
  const env = { ...Object.fromEntries(inherited), PATH: path, npm_config_audit: 'false', npm_config_fund: 'false' };
  for (const args of commands) {
    const { status, stdout, stderr } = spawnSync('npm', args, { cwd: folder, env, encoding: 'utf8' });
    check(status === 0, `"npm ${args.join(' ')}" failed in an empty folder: ${stderr}`);
    check(
      !/gyp|install-scripts|allow-scripts|ERR!/i.test(stdout + stderr),
      `"npm ${args.join(' ')}" was not silent: ${stderr}`,
    );
  }
  for (const file of readdirSync(join(root, 'scripts/smoke')))
    copyFileSync(join(root, 'scripts/smoke', file), join(folder, file));
  const installed = JSON.parse(readFileSync(join(folder, 'node_modules/qgemm/package.json'), 'utf8'));
  check(!('scripts' in installed), 'the installed package.json has scripts');
  smoke(`npm ${commands.at(-1).join(' ')}`, process.execPath, folder);
  return folder;
}

function smoke(title, node, folder) {
  const { status, stdout, stderr } = spawnSync(node, ['smoke.cjs'], { cwd: folder, encoding: 'utf8', timeout: 60_000 });
  check(status === 0, `${title}: the smoke test failed: ${stderr}`);
  if (status === 0) console.log(`${title}: ${stdout.trim()}`);
}

function smokeOtherNodes(folder) {
  if (process.platform !== 'linux') return;
  for (const version of OTHER_NODES) {
    let node;
    try {
      node = fetchNode(process.arch, version);
    } catch (error) {
      console.log(
        `Node ${version}: not run, its binary could not be fetched from npm (${error.message.split('\n')[0]})`,
      );
      continue;
    }
    smoke(`Node ${version}`, node, folder);
  }
}

run('npm', ['run', '--silent', 'build']);
if (!process.argv.includes('--no-prebuild')) run(process.execPath, [join(root, 'scripts/prebuild.mjs'), '--reuse']);
const { tarball, files } = pack();
checkContents(files);
checkLibraries(files);
run(process.execPath, [join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js'), tarball]);
run(process.execPath, [join(root, 'node_modules/publint/src/cli.js'), 'run', tarball, '--strict']);

const path = barePath();
const folder = install('install', [['install']], tarball, path);
install('ci', [['install', '--package-lock-only'], ['ci']], tarball, path);
install('no-scripts', [['install', '--ignore-scripts', '--prefer-offline']], tarball, path);
install('offline', [['install', '--offline']], tarball, path);
const { status, stdout } = spawnSync(process.execPath, [join(folder, 'node_modules/qgemm/dist/cli.js'), '--version'], {
  encoding: 'utf8',
});
check(status === 0 && /^\d+\.\d+\.\d+/.test(stdout), `qgemm --version printed "${stdout}"`);
check(existsSync(join(folder, 'node_modules/.bin/qgemm')), 'the command qgemm is not installed');
smokeOtherNodes(folder);

for (const problem of problems) console.error(`check-package: ${problem}`);
console.log(`check-package: ${problems.length === 0 ? 'passed' : `${problems.length} problems`}`);
process.exit(problems.length === 0 ? 0 : 1);
