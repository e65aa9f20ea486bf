import { Call, Global, PersistentId, pickle, Tuple, type Pickled } from './pickle.js';
import { bytesOf } from './safetensors.js';
import { zipBytes, type TestZipFile, type TestZipOptions } from './zip.js';

export type Storages = Record<string, ArrayBufferView>;

export interface TestStorage {
  key?: string;
  type?: string;
  elements: number;
  view?: Pickled;
}

export function storage({ key = '0', type = 'FloatStorage', elements, view }: TestStorage): PersistentId {
  const id = ['storage', new Global(`torch.${type}`), key, 'cpu', elements];
  return new PersistentId(new Tuple(...id, ...(view === undefined ? [] : [view])));
}

export function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1));
}

/** A tensor as torch pickles it; a view where strides or an offset are given. */
export function tensor(of: TestStorage, shape: readonly number[], strides = rowMajor(shape), offset = 0): Call {
  return new Call(
    'torch._utils._rebuild_tensor_v2',
    storage(of),
    offset,
    new Tuple(...shape),
    new Tuple(...strides),
    false,
    new Call('collections.OrderedDict'),
  );
}

export function quantized(of: TestStorage, shape: readonly number[], ...params: Pickled[]): Call {
  return new Call(
    'torch._utils._rebuild_qtensor',
    storage(of),
    0,
    new Tuple(...shape),
    new Tuple(...rowMajor(shape)),
    new Tuple(...params),
    false,
    new Call('collections.OrderedDict'),
  );
}

export const dict = (entries: Record<string, Pickled>): Map<Pickled, Pickled> => new Map(Object.entries(entries));

export function torchFiles(root: Pickled | Buffer, storages: Storages, folder = 'archive'): TestZipFile[] {
  return [
    { name: `${folder}/data.pkl`, data: Buffer.isBuffer(root) ? root : pickle(root), streamed: true },
    { name: `${folder}/byteorder`, data: Buffer.from('little'), streamed: true },
    ...Object.entries(storages).map(([key, data]) => ({
      name: `${folder}/data/${key}`,
      data: bytesOf(data),
      streamed: true,
    })),
    { name: `${folder}/version`, data: Buffer.from('3\n'), streamed: true },
  ];
}

/** What torch.save writes since 1.6, with none of the library's code. */
export function torchZip(root: Pickled | Buffer, storages: Storages = {}, options: TestZipOptions = {}): Buffer {
  return zipBytes(torchFiles(root, storages), { zip64: true, ...options });
}

export const LEGACY_MAGIC: Buffer = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');

/** What torch.save wrote before 1.6: `elements` says how many each storage has. */
export function torchLegacy(root: Pickled | Buffer, storages: Storages, elements: Record<string, number>): Buffer {
  const system = dict({ protocol_version: 1001, little_endian: true, type_sizes: dict({ int: 4 }) });
  const parts = [LEGACY_MAGIC, pickle(1001), pickle(system), Buffer.isBuffer(root) ? root : pickle(root)];
  parts.push(pickle(Object.keys(storages)));
  for (const [key, data] of Object.entries(storages)) {
    const count = Buffer.alloc(8);
    count.writeBigInt64LE(BigInt(elements[key] ?? 0));
    parts.push(count, bytesOf(data));
  }
  return Buffer.concat(parts);
}
