import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert } from '../lib/index.js';
import { f32, temporaryFolder, writeSafetensors } from './support/safetensors.js';

const root = join(__dirname, '..');
const page = readFileSync(join(root, 'docs', 'converting.md'), 'utf8');
const samples = [...page.matchAll(/```js\n([^]*?)```/g)].map((match) => match[1]!);

/** A folder with the files that the page talks about, small, in which `qgemm` is this package. */
async function workplace(): Promise<string> {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'qgemm'), 'junction');
  const model = writeSafetensors(join(folder, 'model.safetensors'), {
    'encoder.layer.0.attention.self.query.weight': f32([8, 8]),
    'classifier.weight': f32([2, 8]),
    'embeddings.word_embeddings.weight': f32([9, 8]),
  });
  await convert(model, join(folder, 'minilm.q8.safetensors'));
  return folder;
}

describe('docs/converting.md', () => {
  it('has samples', () => expect(samples).toHaveLength(2));

  it.each(samples)('its sample %# runs', async (sample) => {
    const folder = await workplace();
    writeFileSync(join(folder, 'sample.cjs'), sample);
    const { status, stderr } = spawnSync(process.execPath, ['sample.cjs'], { cwd: folder, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('names every option of the command', () => {
    const { stdout } = spawnSync(process.execPath, [join(root, 'dist', 'cli.js'), 'convert', '--help'], {
      encoding: 'utf8',
    });
    for (const [option] of stdout.matchAll(/--[a-z][a-z-]+/g)) if (option !== '--help') expect(page).toContain(option);
  });
});
