// The package.json that users get has no scripts and no development dependencies: npm would announce "prepare" of an
// installed tarball as an install script. "npm pack" and "npm publish" run this before and after (prepack, postpack).
//   node scripts/manifest.mjs trim|restore
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, root } from './tools.mjs';

const manifest = join(root, 'package.json');
const original = join(cache, 'package.json.original');

export function trim() {
  mkdirSync(cache, { recursive: true });
  const text = readFileSync(manifest, 'utf8');
  const { scripts, devDependencies, gypfile, ...kept } = JSON.parse(text);
  if (!scripts || !devDependencies || gypfile !== false)
    throw new Error('package.json is trimmed already (after a failed npm pack: node scripts/manifest.mjs restore)');
  writeFileSync(original, text);
  writeFileSync(manifest, `${JSON.stringify(kept, null, 2)}\n`);
}

export function restore() {
  if (existsSync(original)) renameSync(original, manifest);
}

const [action] = process.argv.slice(2);
if (action === 'trim') trim();
else if (action === 'restore') restore();
