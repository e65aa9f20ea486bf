import { bytesOf } from './safetensors.js';

export interface TestNpy {
  /** The text of the header, instead of what the other fields make. */
  header?: string;
  descr?: string;
  fortran?: boolean;
  shape?: readonly number[];
  data?: ArrayBufferView;
  version?: readonly [number, number];
  /** What the file says its header has. */
  headerLength?: number;
}

/** A .npy file written as NumPy's NEP 1 reads, with none of the library's code. */
export function npyBytes({ header, descr = '<f4', fortran = false, shape = [], data, ...rest }: TestNpy): Buffer {
  const version = rest.version ?? [1, 0];
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = header ?? `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${tuple}, }`;
  const lengthBytes = version[0] === 1 ? 2 : 4;
  const padding = header === undefined ? (64 - ((8 + lengthBytes + text.length + 1) % 64)) % 64 : 0;
  const line = `${text}${' '.repeat(padding)}\n`;
  const prefix = Buffer.alloc(8 + lengthBytes);
  prefix.write('\x93NUMPY', 'latin1');
  prefix[6] = version[0];
  prefix[7] = version[1];
  if (lengthBytes === 2) prefix.writeUInt16LE(rest.headerLength ?? line.length, 8);
  else prefix.writeUInt32LE(rest.headerLength ?? line.length, 8);
  return Buffer.concat([prefix, Buffer.from(line, 'latin1'), ...(data === undefined ? [] : [bytesOf(data)])]);
}
