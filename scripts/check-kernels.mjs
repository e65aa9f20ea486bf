// Holds the kernel table, the list of sources and the files together (docs/adding-a-kernel.md):
// every source is listed once, every line of kernels.inc is defined in a file of its ISA, names follow the grammar, and
// no built ISA object has a weak symbol, which the linker could choose over the baseline copy of the same function.
//   node scripts/check-kernels.mjs [--require-build]
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const requireBuild = process.argv.includes('--require-build');
const read = (path) => readFileSync(join(root, path), 'utf8');
const problems = [];

function filesUnder(folder, extension) {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)).replaceAll('\\', '/'))
    .sort();
}

/** ISA tag (or "core", "addon") to its sources. */
function sourceLists() {
  const { variables } = JSON.parse(read('native/sources.gypi'));
  const lists = new Map();
  for (const [key, value] of Object.entries(variables)) {
    const match = /^qgemm_([a-z0-9]+)_sources$/.exec(key);
    if (match) lists.set(match[1], value);
  }
  return lists;
}

function checkSources(lists) {
  const listed = [...lists.values()].flat();
  const present = ['native/core', 'native/addon', 'native/kernels'].flatMap((folder) => filesUnder(folder, '.cc'));
  for (const file of present) {
    const times = listed.filter((item) => item === file).length;
    if (times !== 1) problems.push(`${file} is in native/sources.gypi ${times} times, expected once`);
  }
  for (const file of listed) {
    if (!present.includes(file)) problems.push(`native/sources.gypi lists ${file}, which does not exist`);
  }
  for (const [isa, files] of lists) {
    if (isa === 'core' || isa === 'addon') continue;
    for (const file of files) {
      if (!file.endsWith(`_${isa}.cc`))
        problems.push(`${file} is compiled for ${isa}, so its name must end in _${isa}.cc`);
      if (!existsSync(join(root, file))) continue;
      const opening = read(file);
      if (!/^\/\/ \w/.test(opening))
        problems.push(`${file} must open with a comment that says what it does and with what`);
    }
  }
}

/** Lines of kernels.inc as {name, isa}. */
function kernelTable() {
  const kernels = [];
  for (const line of read('native/kernels/kernels.inc').split('\n')) {
    if (!/^QGEMM_[A-Z]+_KERNEL/.test(line)) continue;
    const gemm = /^QGEMM_GEMM_KERNEL\(([a-z]+(?:_[a-z0-9]+)+), (\d+), (\d+), (\d+), ([a-z0-9]+)\)$/.exec(line);
    const row = /^QGEMM_ROW_KERNEL\(([a-z]+(?:_[a-z0-9]+)+), ([a-z0-9]+)\)$/.exec(line);
    if (gemm) kernels.push({ name: `${gemm[1]}_${gemm[2]}x${gemm[3]}c${gemm[4]}_${gemm[5]}`, isa: gemm[5] });
    else if (row) kernels.push({ name: `${row[1]}_${row[2]}`, isa: row[2] });
    else problems.push(`kernels.inc: "${line}" does not follow the name grammar`);
  }
  return kernels;
}

function checkDefinitions(lists, kernels) {
  const names = new Set();
  for (const { name, isa } of kernels) {
    if (names.has(name)) problems.push(`kernels.inc names ${name} twice`);
    names.add(name);
    const files = lists.get(isa);
    if (!files) {
      problems.push(`kernels.inc: ${name} has no list qgemm_${isa}_sources in native/sources.gypi`);
      continue;
    }
    const definition = new RegExp(`^void ${name}\\(`, 'm');
    const found = files.filter((file) => existsSync(join(root, file)) && definition.test(read(file)));
    if (found.length !== 1) problems.push(`${name} is defined in ${found.length} files of ${isa}, expected one`);
  }
  for (const file of filesUnder('native/kernels', '.cc')) {
    for (const [, name] of read(file).matchAll(/^void ([a-z0-9_]+)\(/gm)) {
      if (!names.has(name)) problems.push(`${file} defines ${name}, which kernels.inc does not name`);
    }
  }
}

/** Objects of the kernel files, in the addon's build and in CMake's. */
function builtObjects(lists) {
  const folders = ['build/Release/obj.target', 'build-native/release/CMakeFiles'];
  const objects = folders.flatMap((folder) => filesUnder(folder, '.o'));
  const stems = new Map();
  for (const [isa, files] of lists) {
    if (isa !== 'core' && isa !== 'addon') files.forEach((file) => stems.set(basename(file, '.cc'), isa));
  }
  return objects.filter((object) => stems.has(basename(object).replace(/(\.cc)?\.o$/, '')));
}

function checkObjects(lists, kernels) {
  const objects = builtObjects(lists);
  if (objects.length === 0) {
    if (requireBuild) problems.push('no built kernel objects were found: run "npm run build:native" first');
    return 0;
  }
  const names = new Set(kernels.map((kernel) => kernel.name));
  for (const object of objects) {
    const symbols = execFileSync('nm', ['-C', '--defined-only', join(root, object)], { encoding: 'utf8' });
    for (const line of symbols.trim().split('\n')) {
      const [, type, symbol] = /^[0-9a-f]+ (\S) (.*)$/.exec(line) ?? [];
      if (type === undefined) continue;
      if ('WVuwv'.includes(type)) problems.push(`${object}: weak symbol ${symbol}: give it internal linkage`);
      if (type === 'T' && !names.has(/^qgemm::(\w+)\(/.exec(symbol)?.[1] ?? '')) {
        problems.push(`${object}: ${symbol} has external linkage and is no kernel`);
      }
    }
  }
  return objects.length;
}

const lists = sourceLists();
const kernels = kernelTable();
checkSources(lists);
checkDefinitions(lists, kernels);
const objects = checkObjects(lists, kernels);
for (const problem of problems) console.error(`check-kernels: ${problem}`);
console.log(
  `check-kernels: ${kernels.length} kernels, ${[...lists.values()].flat().length} sources, ${objects} objects, ${problems.length} problems`,
);
process.exit(problems.length === 0 ? 0 : 1);
