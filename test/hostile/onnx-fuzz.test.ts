import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openModel } from '../../lib/formats/open.js';
import { readTensor } from '../../lib/formats/source.js';
import { QgemmError } from '../../lib/index.js';
import { FLOAT, INT8, externalTensor, graphProto, onnxBytes, rawTensor, typedTensor } from '../support/onnx.js';
import { runs } from '../support/runs.js';
import { bytesOf, temporaryFolder, values } from '../support/safetensors.js';

/** A model with all that the reader knows: typed and external data, codes with scales, constants, graphs in graphs. */
const inner = graphProto({
  nodes: [
    { op: 'Constant', in: [], out: ['k'], attributes: { value: { tensor: rawTensor('', FLOAT, [2], values(2)) } } },
    { op: 'Gemm', in: ['x', 'f'], out: ['i'], attributes: { transB: 1, alpha: { f32: 1 } } },
  ],
  outputs: ['i'],
});
const model = onnxBytes({
  nodes: [
    { op: 'DequantizeLinear', in: ['w', 's', 'z'], out: ['d'], attributes: { axis: 1 } },
    { op: 'MatMul', in: ['x', 'd'], out: ['p'] },
    { op: 'Add', in: ['p', 'b'], out: ['y'] },
    { op: 'Transpose', in: ['f'], out: ['t'], attributes: { perm: [1, 0] } },
    { op: 'If', name: 'n', in: ['c'], out: ['z'], attributes: { then_branch: { graph: inner } } },
  ],
  tensors: [
    typedTensor('w', INT8, [2, 3], 5, [1, 2, 300, -4n, 5, 6]),
    typedTensor('s', FLOAT, [3], 4, values(3)),
    rawTensor('z', INT8, [3], Int8Array.of(1, 0, -1)),
    rawTensor('b', FLOAT, [3], values(3)),
    rawTensor('n4', 22, [3], Uint8Array.of(1, 2)),
    externalTensor('f', FLOAT, [2, 2], { location: 'data', offset: '4', length: '16' }),
  ],
  inputs: ['x'],
  outputs: ['y'],
});

const change = fc.record({
  at: fc.nat(model.length),
  removed: fc.nat(4),
  inserted: fc.oneof(
    fc.uint8Array({ maxLength: 3 }),
    fc
      .constantFrom([0], [0x7f], [0x80], [0xff, 0xff, 0xff, 0xff, 0x0f], [0x3a], [0x0a, 0])
      .map((x) => Uint8Array.from(x)),
  ),
});

it('random changes to an ONNX model give a QgemmError or tensors that read, never a crash', () => {
  const folder = temporaryFolder();
  const path = join(folder, 'model.onnx');
  writeFileSync(join(folder, 'data'), bytesOf(values(5)));
  let read = 0;
  const property = fc.property(fc.array(change, { maxLength: 3 }), (changes) => {
    let bytes: Buffer = model;
    for (const { at, removed, inserted } of changes) {
      bytes = Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);
    }
    writeFileSync(path, bytes);
    try {
      const source = openModel(path);
      for (const tensor of source.tensors.values()) readTensor(tensor);
      for (const { quantized } of source.matmuls.values()) {
        const scales = quantized?.readScales();
        const zeroPoints = quantized?.readZeroPoints();
        if (zeroPoints) expect(zeroPoints).toHaveLength(scales!.length);
      }
      source.close();
      read += 1;
    } catch (error) {
      expect(error).toBeInstanceOf(QgemmError);
    }
  });
  fc.assert(property, { numRuns: runs(600), examples: [[[]]] });
  expect(read).toBeGreaterThan(0);
});
