import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../lib/formats/open.js';
import { readTensor, type SourceTensor } from '../../lib/formats/source.js';
import { convert, verify } from '../../lib/index.js';
import { parseSafetensors, temporaryFolder } from '../support/safetensors.js';

interface Golden {
  path: string;
  size: number;
  sha256: string;
  tensors: [name: string, dtype: string, shape: number[], sha256OfFloat32: string][];
}

const folder = join(__dirname, '../../.cache/models');
const golden = JSON.parse(readFileSync(join(__dirname, '../golden/torch-checkpoints.json'), 'utf8')) as Golden[];

/** Of the values as float32: counters are int64. */
function sha256(tensor: SourceTensor): string {
  const bytes = readTensor(tensor);
  const values = tensor.dtype === 'I64' ? Float32Array.from(new BigInt64Array(bytes.buffer), Number) : bytes;
  return createHash('sha256').update(values).digest('hex');
}

describe.each(golden)('$path', ({ path, size, sha256: hash, tensors }) => {
  const file = join(folder, path);

  it('is the file that torch read', () => {
    const bytes = readFileSync(file);
    expect([bytes.length, createHash('sha256').update(bytes).digest('hex')]).toEqual([size, hash]);
  });

  it('has the tensors that torch reads', () => {
    const model = openModel(file);
    // torch's names begin at the outermost dict, ours at the model's.
    const named = tensors.map(([name, ...rest]) => [name.replace(/^state_dict\./, ''), ...rest] as const);
    expect([...model.tensors.keys()]).toEqual(named.map(([name]) => name));
    for (const [name, dtype, shape, expected] of named) {
      const tensor = model.tensors.get(name)!;
      expect([name, tensor.dtype, tensor.shape]).toEqual([name, dtype === 'torch.int64' ? 'I64' : 'F32', shape]);
      expect([name, sha256(tensor)]).toEqual([name, expected]);
    }
  });

  it('converts, and everything that is not packed is kept', async () => {
    const output = join(temporaryFolder(), 'out.safetensors');
    const report = await convert(file, output);
    expect(report.packed).toBe(path.includes('lpips') ? 0 : 1);
    expect((await verify(file, output)).mismatches).toEqual([]);
  });
});

describe('akiki VAD', () => {
  it('gives the same packed bytes from its checkpoint and from its safetensors', async () => {
    const outputs: ReturnType<typeof parseSafetensors>[] = [];
    for (const path of ['akiki/models/akiki-vad.pt', 'akiki/models/akiki-vad-native/model.safetensors']) {
      const output = join(temporaryFolder(), 'out.safetensors');
      // Its matmul weights have other names than *.weight.
      await convert(join(folder, path), output, { include: ['head.weight', 'rnn.weight_*'] });
      outputs.push(parseSafetensors(readFileSync(output)));
    }
    const [checkpoint, safetensors] = outputs.map(({ tensors }) => tensors);
    expect([...checkpoint!.keys()].sort()).toEqual([...safetensors!.keys()].sort());
    expect([...checkpoint!.keys()].filter((name) => name.endsWith('.panels'))).toHaveLength(3);
    for (const [name, { bytes }] of checkpoint!) {
      expect([name, bytes.equals(safetensors!.get(name)!.bytes)]).toEqual([name, true]);
    }
  });
});
