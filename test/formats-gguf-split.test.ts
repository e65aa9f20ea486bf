import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../lib/formats/open.js';
import { readTensor } from '../lib/formats/source.js';
import { convert, inspect, loadModel, QgemmError } from '../lib/index.js';
import { ggufBytes, kv, text, u32 } from './support/gguf.js';
import { temporaryFolder, values } from './support/safetensors.js';

const u16 = (value: number): Buffer => u32(value).subarray(0, 2);
const partName = (no: number, count: number): string =>
  `m-${String(no + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf`;

interface Part {
  no?: number;
  count?: number;
  total?: number;
  tensors: string[];
}

/** A part whose tensors are [2, 3] with values from the length of their names. */
function part(index: number, { no = index, count = 3, total = 4, tensors }: Part): Buffer {
  const keys = [kv('split.no', 2, u16(no)), kv('split.count', 2, u16(count)), kv('split.tensors.count', 5, u32(total))];
  if (index === 0) keys.unshift(kv('general.name', 8, text('split')));
  return ggufBytes({
    keys,
    tensors: tensors.map((name) => ({ name, dims: [3, 2], data: values(6, name.length) })),
  });
}

const sound: Part[] = [
  { tensors: ['a.weight'] },
  { tensors: ['bb.weight', 'ccc.weight'] },
  { tensors: ['dddd.weight'] },
];

function write(parts: Part[], folder = temporaryFolder()): string {
  mkdirSync(folder, { recursive: true });
  parts.forEach((contents, index) => writeFileSync(join(folder, partName(index, 3)), part(index, contents)));
  return join(folder, partName(0, 3));
}

function codeOf(path: string): string {
  try {
    inspect(path);
  } catch (error) {
    expect(error).toBeInstanceOf(QgemmError);
    return (error as QgemmError).code;
  }
  return 'no error';
}

describe('GGUF in several files', () => {
  it('is one model, opened by its first file or its folder', async () => {
    const first = write(sound);
    const folder = join(first, '..');
    for (const path of [first, folder]) {
      const model = openModel(path);
      expect(model.files).toHaveLength(3);
      expect([...model.tensors.keys()]).toEqual(['a.weight', 'bb.weight', 'ccc.weight', 'dddd.weight']);
      for (const [name, tensor] of model.tensors) {
        expect(new Float32Array(readTensor(tensor).buffer)).toEqual(values(6, name.length));
      }
      expect(model.metadata.get('gguf.general.name')).toBe('split');
      model.close();
    }
    const output = join(temporaryFolder(), 'out.safetensors');
    expect((await convert(folder, output)).packed).toBe(4);
    const converted = loadModel(output);
    expect(converted.names).toEqual(['a', 'bb', 'ccc', 'dddd']);
    converted.close();
  });

  it('a file that says it is the only one is one', () => {
    const path = join(temporaryFolder(), 'any.gguf');
    writeFileSync(path, part(0, { count: 1, tensors: ['a'] }));
    expect(openModel(path).tensors.size).toBe(1);
  });

  it.each<[string, string, Part[]]>([
    ['a missing file', 'ERR_QGEMM_IO', sound.slice(0, 2)],
    ['a count that disagrees with the name', 'ERR_QGEMM_FORMAT', [{ count: 4, tensors: ['a'] }]],
    ['a count of 65,535', 'ERR_QGEMM_LIMIT', [{ count: 65_535, tensors: ['a'] }]],
    ['a first file that says it is the second', 'ERR_QGEMM_FORMAT', [{ no: 1, tensors: [] }, ...sound.slice(1)]],
    ['files in another order', 'ERR_QGEMM_FORMAT', [sound[0]!, { no: 2, tensors: [] }, { no: 1, tensors: [] }]],
    ['a file of another model', 'ERR_QGEMM_FORMAT', [sound[0]!, { count: 5, tensors: [] }, sound[2]!]],
    ['a tensor in two files', 'ERR_QGEMM_FORMAT', [sound[0]!, { tensors: ['a.weight', 'b'] }, sound[2]!]],
    ['fewer tensors than it says', 'ERR_QGEMM_FORMAT', [sound[0]!, { tensors: ['b'] }, sound[2]!]],
  ])('%s: %s', (_, code, parts) => {
    expect(codeOf(write(parts))).toBe(code);
  });

  it('a later file alone, a renamed one, and a count that is a string are refused', () => {
    const first = write(sound);
    const folder = join(first, '..');
    expect(codeOf(join(folder, partName(1, 3)))).toBe('ERR_QGEMM_FORMAT');
    const renamed = join(folder, 'renamed.gguf');
    writeFileSync(renamed, part(0, sound[0]!));
    expect(codeOf(renamed)).toBe('ERR_QGEMM_FORMAT');
    writeFileSync(renamed, ggufBytes({ keys: [kv('split.count', 8, text('3'))] }));
    expect(codeOf(renamed)).toBe('ERR_QGEMM_FORMAT');
  });

  it('a part that is malformed is refused', () => {
    const first = write(sound);
    writeFileSync(join(first, '..', partName(2, 3)), 'GGUF');
    expect(codeOf(first)).toBe('ERR_QGEMM_FORMAT');
  });
});
