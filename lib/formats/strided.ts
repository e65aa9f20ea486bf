import { native } from '../native.js';
import type { ByteSource } from './file.js';
import { CHUNK_BYTES } from './limits.js';

/** A tensor whose elements lie at regular distances: a view of a storage, or an array in Fortran's order. */
export interface StridedView {
  readonly source: ByteSource;
  /** Byte of the element with all indices 0. */
  readonly offset: number;
  /** 1, 2, 4 or 8. */
  readonly elementBytes: number;
  readonly shape: readonly number[];
  /** In elements, >= 0. */
  readonly strides: readonly number[];
}

/** One dimension of a copy; strides in elements. */
interface Dim {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** Reading up to this much around what is wanted costs no more than another call to the operating system. */
const SMALL_READ_BYTES = 65_536;

/** Less than this is not worth a call to the operating system of its own. */
const PAGE_BYTES = 4096;

/** Output that is prepared at once where the file is read across. */
const BAND_BYTES: number = 32 * 2 ** 20;

/** Of what is read in large pieces at least this part must be wanted. */
const MIN_DENSITY = 1 / 4;

/** Row-major strides of a shape. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let d = shape.length - 2; d >= 0; d--) strides[d] = strides[d + 1]! * shape[d + 1]!;
  return strides;
}

/** Elements between the first and the last one of a view, both included; 0 for an empty one. Exact up to 2^53. */
export function extentOf(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((last, size, d) => last + (size - 1) * strides[d]!, 1);
}

/**
 * A function that fills its target with the bytes of a view in row-major order, from a position on. It reads pieces of at
 * most {@link CHUNK_BYTES} and puts their elements where they belong. Where rows of the view lie across the file, as those of
 * a transposed matrix do, it prepares {@link BAND_BYTES} at a time and keeps them for the reads that follow.
 */
export function stridedReader(view: StridedView): (target: Uint8Array, position: number) => void {
  const { elementBytes } = view;
  const dims = mergedDims(view);
  const byteLength = view.shape.reduce((product, size) => product * size, elementBytes);
  const fill = (target: Uint8Array, position: number): void =>
    new Copy(view, target).range(dims, 0, position / elementBytes, target.length / elementBytes, 0);
  if (byteLength <= CHUNK_BYTES || dims.every((dim, d) => d === 0 || dim.from <= dims[d - 1]!.from)) return fill;

  return (target, position) => {
    const end = position + target.length;
    for (let start = position - (position % BAND_BYTES); start < end; start += BAND_BYTES) {
      const bandEnd = Math.min(start + BAND_BYTES, byteLength);
      const from = Math.max(start, position);
      const to = Math.min(bandEnd, end);
      const part = target.subarray(from - position, to - position);
      if (from === start && to === bandEnd) fill(part, from);
      else part.set(lastBand.of(view, start, bandEnd - start, fill).subarray(from - start, to - start));
      if (to === byteLength) lastBand.drop(view);
    }
  };
}

/** The one band of all views that is kept: tensors are read one after another. */
class LastBand {
  #view: StridedView | undefined;
  #start = 0;
  #bytes = new Uint8Array(0);

  of(
    view: StridedView,
    start: number,
    length: number,
    fill: (target: Uint8Array, position: number) => void,
  ): Uint8Array {
    if (this.#view !== view || this.#start !== start) {
      this.#forget();
      const bytes = new Uint8Array(length);
      fill(bytes, start);
      [this.#view, this.#start, this.#bytes] = [view, start, bytes];
    }
    return this.#bytes;
  }

  /** After the last byte of a view. */
  drop(view: StridedView): void {
    if (this.#view === view) this.#forget();
  }

  #forget(): void {
    [this.#view, this.#bytes] = [undefined, new Uint8Array(0)];
  }
}

const lastBand = new LastBand();

/** Dimensions without those of size 1, neighbours that lie in row-major order made one. */
function mergedDims({ shape, strides }: StridedView): Dim[] {
  const dims: Dim[] = [];
  let to = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    const size = shape[d]!;
    if (size === 1) continue;
    const inner = dims[0];
    const from = strides[d]!;
    if (inner !== undefined && from === inner.from * inner.size) dims[0] = { ...inner, size: inner.size * size };
    else dims.unshift({ size, from, to });
    to *= size;
  }
  return dims;
}

class Copy {
  readonly #view: StridedView;
  readonly #target: Uint8Array;

  constructor(view: StridedView, target: Uint8Array) {
    this.#view = view;
    this.#target = target;
  }

  /**
   * Copies `count` elements from the `first` one on, in row-major order of `dims`, which begin at element `from`: a part of
   * a row, whole rows, a part of a row, and so in every dimension.
   */
  range(dims: readonly Dim[], from: number, first: number, count: number, to: number): void {
    const [dim, ...inner] = dims;
    if (count === 0) return;
    if (dim === undefined) return this.box([], from, to);
    const rowSize = dim.to;
    let row = Math.floor(first / rowSize);
    const start = first - row * rowSize;
    if (start > 0) {
      const part = Math.min(count, rowSize - start);
      this.range(inner, from + row * dim.from, start, part, to);
      count -= part;
      to += part;
      row += 1;
    }
    const rows = Math.floor(count / rowSize);
    if (rows > 0) this.box([{ ...dim, size: rows }, ...inner], from + row * dim.from, to);
    const done = rows * rowSize;
    if (count > done) this.range(inner, from + (row + rows) * dim.from, 0, count - done, to + done);
  }

  /**
   * Copies a box of elements: at once where the bytes from its first to its last element are few or mostly wanted, else in
   * parts along the dimension whose elements lie farthest apart.
   */
  box(dims: readonly Dim[], from: number, to: number): void {
    const { elementBytes } = this.#view;
    const [only] = dims;
    if (dims.length <= 1 && (only === undefined || (only.from === 1 && only.to === 1))) {
      this.#read(this.#target.subarray(to * elementBytes, (to + (only?.size ?? 1)) * elementBytes), from);
      return;
    }
    if (this.#isCompact(dims)) return this.#gather(dims, [], from, to);
    const widest = dims.reduce((a, b) => ((b.size - 1) * b.from > (a.size - 1) * a.from ? b : a));
    const rest = dims.filter((dim) => dim !== widest);
    const isCompact = this.#isCompact(rest);
    // Together with what lies between them where that is little; else one by one.
    const near = isCompact ? this.#nearby(dims, widest, spanOf(rest)) : 1;
    const many = Math.max(1, Math.floor(CHUNK_BYTES / elementBytes / spanOf(rest)));
    const step = near > 1 ? near : isCompact ? many : 1;
    for (let i = 0; i < widest.size; i += step) {
      const [partFrom, partTo] = [from + i * widest.from, to + i * widest.to];
      const part = { ...widest, size: Math.min(step, widest.size - i) };
      if (near > 1) this.#gather([part, ...rest], [], partFrom, partTo);
      else if (isCompact) this.#gather(rest, [part], partFrom, partTo);
      else this.box(rest, partFrom, partTo);
    }
  }

  /** How many indices of `dim`, with `rest` elements each, are to be read as one. */
  #nearby(dims: readonly Dim[], dim: Dim, rest: number): number {
    const { elementBytes } = this.#view;
    const isDense = this.#isDense(dims);
    if (!isDense && rest * elementBytes >= PAGE_BYTES) return 1;
    const limit = (isDense ? CHUNK_BYTES : SMALL_READ_BYTES) / elementBytes;
    return Math.floor((limit - rest) / dim.from) + 1;
  }

  /** Whether the bytes from the first to the last element should be read as one. */
  #isCompact(dims: readonly Dim[]): boolean {
    const span = spanOf(dims) * this.#view.elementBytes;
    return span <= (this.#isDense(dims) ? CHUNK_BYTES : SMALL_READ_BYTES);
  }

  #isDense(dims: readonly Dim[]): boolean {
    const wanted = dims.reduce((product, { size, from }) => (from === 0 ? product : product * size), 1);
    return wanted >= spanOf(dims) * MIN_DENSITY;
  }

  /** Reads compact parts, one for each index of `apart` (one dimension or none), one behind the other, and copies all. */
  #gather(dims: readonly Dim[], apart: readonly Dim[], from: number, to: number): void {
    const { elementBytes } = this.#view;
    const span = spanOf(dims);
    const { size, from: distance } = apart[0] ?? { size: 1, from: 0 };
    const bytes = new Uint8Array(size * span * elementBytes);
    for (let i = 0; i < size; i++) {
      this.#read(bytes.subarray(i * span * elementBytes, (i + 1) * span * elementBytes), from + i * distance);
    }
    const list = [...apart.map((dim) => ({ ...dim, from: span })), ...dims].flatMap((dim) => [
      dim.size,
      dim.from,
      dim.to,
    ]);
    native.stridedCopy(bytes, this.#target.subarray(to * elementBytes), elementBytes, Float64Array.from(list));
  }

  #read(target: Uint8Array, element: number): void {
    const { source, offset, elementBytes } = this.#view;
    source.readInto(target, offset + element * elementBytes);
  }
}

/** Elements from the first to the last one of a box. */
function spanOf(dims: readonly Dim[]): number {
  return dims.reduce((last, { size, from }) => last + (size - 1) * from, 1);
}
