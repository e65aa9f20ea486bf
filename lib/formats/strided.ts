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
 * most {@link CHUNK_BYTES} and puts their elements where they belong.
 */
export function stridedReader(view: StridedView): (target: Uint8Array, position: number) => void {
  const { elementBytes } = view;
  const dims = mergedDims(view);
  return (target, position) => {
    const copy = new Copy(view, target);
    copy.range(dims, 0, position / elementBytes, target.length / elementBytes, 0);
  };
}

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

  /** Copies a box of elements: at once where the bytes from its first to its last element are few, else in parts. */
  box(dims: readonly Dim[], from: number, to: number): void {
    const { source, offset, elementBytes } = this.#view;
    const [only] = dims;
    if (dims.length <= 1 && (only === undefined || (only.from === 1 && only.to === 1))) {
      const start = to * elementBytes;
      const end = start + (only?.size ?? 1) * elementBytes;
      source.readInto(this.#target.subarray(start, end), offset + from * elementBytes);
      return;
    }
    const span = dims.reduce((last, { size, from }) => last + (size - 1) * from, 1);
    const wanted = dims.reduce((product, { size, from }) => (from === 0 ? product : product * size), 1);
    const limit = (wanted / span < MIN_DENSITY ? SMALL_READ_BYTES : CHUNK_BYTES) / elementBytes;
    if (span <= limit) {
      const bytes = new Uint8Array(span * elementBytes);
      source.readInto(bytes, offset + from * elementBytes);
      const list = Float64Array.from(dims.flatMap((dim) => [dim.size, dim.from, dim.to]));
      native.stridedCopy(bytes, this.#target.subarray(to * elementBytes), elementBytes, list);
      return;
    }
    const widest = dims.reduce((a, b) => ((b.size - 1) * b.from > (a.size - 1) * a.from ? b : a));
    const rest = span - (widest.size - 1) * widest.from;
    const step = Math.max(1, Math.floor((limit - rest) / widest.from) + 1);
    for (let i = 0; i < widest.size; i += step) {
      const size = Math.min(step, widest.size - i);
      const part = dims.map((dim) => (dim === widest ? { ...dim, size } : dim));
      this.box(
        part.filter((dim) => dim.size > 1),
        from + i * widest.from,
        to + i * widest.to,
      );
    }
  }
}
