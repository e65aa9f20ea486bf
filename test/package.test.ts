import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

// The quick part of scripts/check-package.mjs: what can be said without packing and installing.
const root = join(__dirname, '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  main: string;
  types: string;
  bin: Record<string, string>;
  files: string[];
  version: string;
  gypfile: boolean;
  scripts: Record<string, string>;
  exports: Record<string, { types: string; default: string } | string>;
};

const node = (...args: string[]): string =>
  execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }).trim();

describe('package.json', () => {
  it('names files that the build makes', () => {
    const entry = manifest.exports['.'] as { types: string; default: string };
    for (const path of [manifest.main, manifest.types, entry.default, entry.types, ...Object.values(manifest.bin)]) {
      expect(existsSync(join(root, path)), path).toBe(true);
    }
  });

  it('carries the examples that README leads to', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    expect([...readme.matchAll(/\]\((examples\/[\w-]+\.mjs)\)/g)].length).toBeGreaterThan(2);
    expect(manifest.files).toContain('examples/*.mjs');
  });

  it('runs nothing at installation', () => {
    for (const name of ['preinstall', 'install', 'postinstall']) expect(manifest.scripts).not.toHaveProperty(name);
    expect(manifest.gypfile).toBe(false);
    expect(manifest.files).not.toContain('binding.gyp');
  });
});

describe('the built package', () => {
  it('is the same for require(folder), require(main) and import by name', () => {
    const byFolder = require(root) as Record<string, unknown>;
    expect(Object.keys(byFolder)).toEqual(
      expect.arrayContaining(['PackedWeights', 'Linear', 'QgemmError', 'quantize', 'loadModel', 'cpuInfo']),
    );
    const program = `import { Linear, PackedWeights, quantizePerTensor } from ${JSON.stringify(join(root, manifest.main))};
      import { createRequire } from 'node:module';
            const required = createRequire(import.meta.url)(${JSON.stringify(root)});
      console.log(Linear === required.Linear, PackedWeights === required.PackedWeights, typeof quantizePerTensor);`;
    expect(node('--input-type=module', '-e', program)).toBe('true true function');
  });

  it('has a command of the same version', () => {
    expect(node(join(root, manifest.bin['qgemm'] ?? ''), '--version')).toContain(manifest.version);
  });
});
