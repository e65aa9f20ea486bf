import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A tensor to write: `data` are its bytes, whatever `dtype` and `shape` say. */
export interface TestTensor {
  dtype: string;
  shape: number[];
  data: ArrayBufferView;
}

/** A new folder that disappears after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'qgemm-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function bytesOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

/** The bytes of a safetensors file with this header text and these data bytes; nothing is checked. */
export function rawSafetensors(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(0),
  length?: bigint,
): Buffer {
  const json = typeof header === 'string' ? Buffer.from(header) : Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([prefix, json, data]);
}

/** A safetensors file written as its specification reads, with none of the library's code. */
export function safetensorsBytes(tensors: Record<string, TestTensor>, metadata?: Record<string, string>): Buffer {
  const header: Record<string, unknown> = metadata === undefined ? {} : { __metadata__: metadata };
  let begin = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [begin, begin + data.byteLength] };
    begin += data.byteLength;
  }
  return rawSafetensors(JSON.stringify(header), Buffer.concat(Object.values(tensors).map(({ data }) => bytesOf(data))));
}

export function writeSafetensors(
  path: string,
  tensors: Record<string, TestTensor>,
  metadata?: Record<string, string>,
): string {
  writeFileSync(path, safetensorsBytes(tensors, metadata));
  return path;
}

/** What a safetensors file holds, read as its specification says, with none of the library's code. */
export function parseSafetensors(file: Buffer): {
  metadata: Record<string, string>;
  tensors: Map<string, { dtype: string; shape: number[]; bytes: Buffer; offset: number }>;
} {
  const start = 8 + Number(file.readBigUInt64LE());
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(file.toString('utf8', 8, start)) as Record<
    string,
    never
  >;
  const tensors = Object.entries(
    entries as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>,
  ).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => [name, { dtype, shape, bytes: file.subarray(start + begin, start + end), offset: start + begin }] as const,
  );
  return { metadata, tensors: new Map(tensors) };
}

/** Values between -1 and 1 from a seed. */
export function values(length: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

export function f32(shape: number[], seed = 1): TestTensor {
  return {
    dtype: 'F32',
    shape,
    data: values(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
  };
}
