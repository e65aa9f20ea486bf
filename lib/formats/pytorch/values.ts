import type { Dtype } from '../dtypes.js';
import { PickleMade } from './pickle-values.js';

/** What torch calls a dtype, in safetensors spelling. `quantized`: the elements are codes that need a scale. */
export interface TorchDtype {
  readonly name: string;
  readonly dtype: Dtype;
  readonly quantized: boolean;
}

const dtype = (name: string, dtype: Dtype, quantized = false): TorchDtype => ({ name, dtype, quantized });

const DTYPES: readonly TorchDtype[] = [
  dtype('float32', 'F32'),
  dtype('float64', 'F64'),
  dtype('float16', 'F16'),
  dtype('bfloat16', 'BF16'),
  dtype('float8_e4m3fn', 'F8_E4M3'),
  dtype('float8_e5m2', 'F8_E5M2'),
  dtype('float8_e4m3fnuz', 'F8_E4M3FNUZ'),
  dtype('float8_e5m2fnuz', 'F8_E5M2FNUZ'),
  dtype('int64', 'I64'),
  dtype('int32', 'I32'),
  dtype('int16', 'I16'),
  dtype('int8', 'I8'),
  dtype('uint8', 'U8'),
  dtype('uint16', 'U16'),
  dtype('uint32', 'U32'),
  dtype('uint64', 'U64'),
  dtype('bool', 'BOOL'),
  dtype('complex64', 'C64'),
  dtype('qint8', 'I8', true),
  dtype('quint8', 'U8', true),
];

/** By the name of `torch.<name>`. */
export const TORCH_DTYPES: ReadonlyMap<string, TorchDtype> = new Map(DTYPES.map((item) => [item.name, item]));

/** By the class of a storage, `torch.<name>`. Newer dtypes have none: they come with UntypedStorage. */
export const STORAGE_DTYPES: ReadonlyMap<string, TorchDtype> = new Map(
  (
    [
      ['FloatStorage', 'float32'],
      ['DoubleStorage', 'float64'],
      ['HalfStorage', 'float16'],
      ['BFloat16Storage', 'bfloat16'],
      ['LongStorage', 'int64'],
      ['IntStorage', 'int32'],
      ['ShortStorage', 'int16'],
      ['CharStorage', 'int8'],
      ['ByteStorage', 'uint8'],
      ['BoolStorage', 'bool'],
      ['ComplexFloatStorage', 'complex64'],
      ['QInt8Storage', 'qint8'],
      ['QUInt8Storage', 'quint8'],
      ['UntypedStorage', 'uint8'],
    ] as const
  ).map(([name, type]) => [name, TORCH_DTYPES.get(type)!]),
);

/** Memory that tensors are views of, by the key under which the file holds its bytes. */
export class TorchStorage extends PickleMade {
  readonly kind = 'a storage';

  /** @param start elements before it where it is a view of the storage that the file holds */
  constructor(
    readonly key: string,
    readonly type: TorchDtype,
    readonly elements: number,
    readonly start: number = 0,
  ) {
    super();
  }
}

/** How the codes of a quantized tensor become numbers: one scale and zero point, or one for each index of an axis. */
export type TorchQuantizer =
  | { readonly scale: number; readonly zeroPoint: number }
  | { readonly scales: TorchTensor; readonly zeroPoints: TorchTensor; readonly axis: number };

/** A view of a storage, validated against its size. */
export interface TorchLayout {
  readonly storage: TorchStorage;
  /** Of the first element, in bytes from the start of what the file holds for the storage. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** In elements. */
  readonly strides: readonly number[];
  readonly type: TorchDtype;
}

export class TorchTensor extends PickleMade {
  readonly kind = 'a tensor';

  constructor(
    readonly layout: TorchLayout,
    readonly quantizer: TorchQuantizer | undefined,
  ) {
    super();
  }
}
