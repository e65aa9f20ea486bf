import { QgemmError, show } from '../../errors.js';
import { dtypeBits, dtypeBytes, elementsOf } from '../dtypes.js';
import { MAX_RANK } from '../limits.js';
import { isPickleTuple, PickleDict, PickleGlobal, pickleKind, type PickleValue } from './pickle-values.js';
import {
  STORAGE_DTYPES,
  TORCH_DTYPES,
  TorchStorage,
  TorchTensor,
  type TorchDtype,
  type TorchQuantizer,
} from './values.js';
import { extentOf } from '../strided.js';

type Args = readonly PickleValue[];

/** What torch's functions for loading make of their arguments. `what` names the checkpoint in errors. */
export class TorchRebuilder {
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  /** A persistent id: ('storage', class, key, device, elements[, view of an older torch: (key, start, elements)]). */
  storage(id: PickleValue): TorchStorage {
    const [tag, type, key, , elements, view] = isPickleTuple(id) ? id : [];
    const name = type instanceof PickleGlobal ? type.name : '';
    const dtype = STORAGE_DTYPES.get(name.slice(name.lastIndexOf('.') + 1));
    if (tag !== 'storage' || dtype === undefined || (typeof key !== 'string' && typeof key !== 'number')) {
      throw this.#error(`must refer to storages by ('storage', class, key, device, size), got ${pickleKind(id)}`);
    }
    const size = this.#integer('the size of a storage', elements);
    if (!isPickleTuple(view)) return new TorchStorage(String(key), dtype, size);
    const start = this.#integer('the start of a view of a storage', view[1]);
    const length = this.#integer('the size of a view of a storage', view[2]);
    if (start + length > size)
      throw this.#error(`has a view of ${length} elements at ${start} of a storage of ${size}`);
    return new TorchStorage(String(key), dtype, length, start);
  }

  /** _rebuild_tensor: (storage, offset, shape, strides); v2: (..., requires_grad, hooks, state). */
  tensorV2(args: Args): TorchTensor {
    this.#checkState(args[6]);
    return this.tensor(args);
  }

  /** v3: (..., requires_grad, hooks, dtype, state), for dtypes that storages know nothing of. */
  tensorV3(args: Args): TorchTensor {
    this.#checkState(args[7]);
    const type = args[6];
    const dtype = type instanceof PickleGlobal ? TORCH_DTYPES.get(type.name.slice('torch.'.length)) : undefined;
    if (dtype === undefined) throw this.#error(`has a tensor whose dtype is ${pickleKind(type)}`);
    return this.tensor(args, dtype);
  }

  tensor(args: Args, type?: TorchDtype, quantizer?: TorchQuantizer): TorchTensor {
    const [storage, first, size, stride] = args;
    if (!(storage instanceof TorchStorage)) throw this.#error(`has a tensor whose storage is ${pickleKind(storage)}`);
    const dtype = type ?? storage.type;
    const shape = this.#integers('the shape of a tensor', size);
    const strides = this.#integers('the strides of a tensor', stride);
    const offset = this.#integer('the offset of a tensor', first);
    if (shape.length !== strides.length) {
      throw this.#error(`has a tensor of ${shape.length} dimensions with ${strides.length} strides`);
    }
    if (dtypeBytes(dtype.dtype, elementsOf(shape)) === undefined) {
      throw new QgemmError(
        'ERR_QGEMM_LIMIT',
        `${this.#what} must have tensors of fewer than 2^50 elements, got ${show(shape)}`,
      );
    }
    const itemBytes = dtypeBits(dtype.dtype) / 8;
    const storageItemBytes = dtypeBits(storage.type.dtype) / 8;
    const end = (offset + extentOf(shape, strides)) * itemBytes;
    if (!shape.includes(0) && !(end <= storage.elements * storageItemBytes)) {
      throw this.#error(
        `has a tensor of shape ${show(shape)}, strides ${show(strides)} and offset ${offset} that reaches beyond its storage of ${storage.elements} elements`,
      );
    }
    if (dtype.quantized !== (quantizer !== undefined)) {
      throw this.#error(
        `has a tensor of ${dtype.name} ${quantizer === undefined ? 'without a scale' : 'with a scale'}`,
      );
    }
    const start = storage.start * storageItemBytes + offset * itemBytes;
    return new TorchTensor({ storage, offset: start, shape, strides, type: dtype }, quantizer);
  }

  /** _rebuild_qtensor: (storage, offset, shape, strides, (scheme, ...), ...). */
  quantized(args: Args): TorchTensor {
    const params = args[4];
    const [scheme, a, b, axis] = isPickleTuple(params) ? params : [];
    const name = pickleKind(scheme);
    if (name === 'torch.per_tensor_affine' || name === 'torch.per_tensor_symmetric') {
      if (typeof a !== 'number') throw this.#error(`has a quantized tensor whose scale is ${pickleKind(a)}`);
      return this.tensor(args, undefined, { scale: a, zeroPoint: this.#integer('a zero point', b, -128) });
    }
    // Zero points may be floats here: torch saves per_channel_affine_float_qparams under this name too.
    if (name !== 'torch.per_channel_affine' && name !== 'torch.per_channel_symmetric') {
      throw new QgemmError(
        'ERR_QGEMM_DTYPE',
        `${this.#what} must have tensors quantized per tensor or per channel, got ${name}`,
      );
    }
    if (!(a instanceof TorchTensor) || !(b instanceof TorchTensor)) {
      throw this.#error(
        `has a quantized tensor whose scales and zero points are ${pickleKind(a)} and ${pickleKind(b)}`,
      );
    }
    const quantizer = { scales: a, zeroPoints: b, axis: this.#integer('the axis of a quantized tensor', axis) };
    const tensor = this.tensor(args, undefined, quantizer);
    this.#checkChannels(tensor, quantizer);
    return tensor;
  }

  /** Bits of a view that change its values when it is read. */
  #checkState(state: PickleValue | undefined): void {
    if (!(state instanceof PickleDict)) return;
    for (const bit of ['conj', 'neg']) {
      if (state.entries.get(bit) !== true) continue;
      throw new QgemmError(
        'ERR_QGEMM_DTYPE',
        `${this.#what} must hold values as they are, but has a tensor with the ${bit} bit: save resolve_${bit}() of it`,
      );
    }
  }

  #checkChannels(
    { layout }: TorchTensor,
    { scales, zeroPoints, axis }: Extract<TorchQuantizer, { axis: number }>,
  ): void {
    const channels = layout.shape[axis];
    const fits = [scales, zeroPoints].every(({ layout: { shape } }) => shape.length === 1 && shape[0] === channels);
    if (channels === undefined || !fits) {
      throw this.#error(`has a quantized tensor of shape ${show(layout.shape)} whose scales do not fit axis ${axis}`);
    }
    const types = [scales, zeroPoints].map(({ layout: { type } }) => type.dtype);
    if (!['F32', 'F64'].includes(types[0]!) || !['I32', 'I64', 'F32', 'F64'].includes(types[1]!)) {
      throw this.#error(`has a quantized tensor with scales of ${types[0]} and zero points of ${types[1]}`);
    }
  }

  #integers(name: string, value: PickleValue | undefined): number[] {
    if (!isPickleTuple(value)) throw this.#error(`must have ${name} as a tuple, got ${pickleKind(value)}`);
    if (value.length > MAX_RANK) {
      throw new QgemmError(
        'ERR_QGEMM_LIMIT',
        `${this.#what} must have tensors of at most ${MAX_RANK} dimensions, got ${value.length}`,
      );
    }
    return value.map((item) => this.#integer(name, item));
  }

  #integer(name: string, value: PickleValue | undefined, min = 0): number {
    if (!Number.isSafeInteger(value) || (value as number) < min) {
      throw this.#error(`must have ${name} as an integer >= ${min}, got ${pickleKind(value)}`);
    }
    return value as number;
  }

  #error(problem: string): QgemmError {
    return new QgemmError('ERR_QGEMM_FORMAT', `${this.#what} ${problem}`);
  }
}
