import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../lib/formats/open.js';
import { readTensor } from '../lib/formats/source.js';
import { ggufBytes } from './support/gguf.js';
import { temporaryFolder } from './support/safetensors.js';

interface Golden {
  blocks: number;
  types: Record<string, { id: number; elements: number; bytes: number; uppers: number[]; sha256: string }>;
}
const { blocks, types } = JSON.parse(readFileSync(join(__dirname, 'golden', 'gguf-blocks.json'), 'utf8')) as Golden;

/** The blocks of make-gguf-blocks.py. */
function blocksOf(size: number, uppers: readonly number[]): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: blocks * size }, (_, j) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 24) & (uppers.includes(j % size) ? 0xbf : 0xff);
  });
}

describe('block types of GGUF decode as the gguf package does', () => {
  it.each(Object.entries(types))('%s', (name, { id, elements, bytes, uppers, sha256 }) => {
    const path = join(temporaryFolder(), 'model.gguf');
    const data = blocksOf(bytes, uppers);
    writeFileSync(path, ggufBytes({ tensors: [{ name: 'a', type: id, dims: [elements, blocks], data }] }));
    const model = openModel(path);
    const tensor = model.tensors.get('a')!;
    expect(tensor.stored).toEqual({ type: name, byteLength: data.length });
    expect(createHash('sha256').update(readTensor(tensor)).digest('hex')).toBe(sha256);
    model.close();
  });
});
