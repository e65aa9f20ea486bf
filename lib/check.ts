import { QgemmError, show, type QgemmErrorCode } from './errors.js';

/** Throws a {@link QgemmError} that reads `<name> must be <expectation>, got <value>`. */
export function fail(code: QgemmErrorCode, name: string, expectation: string, value: unknown): never {
  throw new QgemmError(code, `${name} must be ${expectation}, got ${show(value)}`);
}

/** What to expect of an instance of ours: two installed copies of the package do not know each other's objects. */
export function expectedInstance(type: string, value: unknown): string {
  return show(value) === type ? `a ${type} of the same copy of qgemm` : `a ${type}`;
}

/** Checks that `value` is an integer in [min, max]. A non-number is ARGUMENT, everything else RANGE. */
export function checkInteger(name: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number') fail('ERR_QGEMM_ARGUMENT', name, 'a number', value);
  if (!Number.isInteger(value) || value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `>= ${min}` : `in [${min}, ${max}]`;
    fail('ERR_QGEMM_RANGE', name, `an integer ${range}`, value);
  }
  return value;
}

/** Checks that `value` is one of the allowed strings. */
export function checkOneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  if (typeof value !== 'string' || !(allowed as readonly string[]).includes(value)) {
    fail('ERR_QGEMM_ARGUMENT', name, `one of ${allowed.map((item) => `'${item}'`).join(', ')}`, value);
  }
  return value as T;
}

/** Checks a path argument: a string that is not empty and has no zero byte. */
export function checkPath(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '' || value.includes('\0'))
    fail('ERR_QGEMM_ARGUMENT', name, 'a path (a string, not empty, without zero characters)', value);
  return value;
}

/**
 * Checks that an options argument is a plain object (or absent) and has no key we do not know. Other objects (a Map, an
 * AbortSignal where `{ signal }` is meant) have no keys, and would be ignored.
 */
export function checkOptions<T extends object>(
  name: string,
  value: unknown,
  known: readonly (keyof T & string)[],
): Partial<T> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Object.prototype.toString.call(value) !== '[object Object]') {
    fail('ERR_QGEMM_ARGUMENT', name, 'an object', value);
  }
  for (const key of Object.keys(value)) {
    if (!(known as readonly string[]).includes(key)) {
      throw new QgemmError(
        'ERR_QGEMM_ARGUMENT',
        `${name} has no option ${show(key)}; known options: ${known.join(', ')}`,
      );
    }
  }
  return value;
}

type TypedArrayConstructor<T> = { new (length: number): T; readonly prototype: T; readonly name: string };

const tagOfTypedArray = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)!.get as () => string | undefined;

/** The names of the classes that are asked for. A function gives its own through an accessor, 50 ns each time. */
const NAMES = new Map<unknown, string>([Float32Array, Int8Array, Uint8Array].map((type) => [type, type.name]));

/** The class of a typed array: seen by what it is, not by its prototype, so a Proxy has none, and other realms count. */
export const classOf = (value: unknown): string | undefined => tagOfTypedArray.call(value);

/**
 * Checks that `value` is a typed array of the wanted class whose buffer is attached and in bounds.
 * Detached and out-of-bounds views report length 0, so asking for the length alone would hide them.
 */
export function checkTypedArray<T extends ArrayBufferView>(
  name: string,
  value: unknown,
  type: TypedArrayConstructor<T>,
): T {
  if (classOf(value) !== (NAMES.get(type) ?? type.name)) {
    fail(ArrayBuffer.isView(value) ? 'ERR_QGEMM_DTYPE' : 'ERR_QGEMM_ARGUMENT', name, `a ${type.name}`, value);
  }
  const view = value as T;
  if (view.byteLength === 0) checkAttached(name, view);
  return view;
}

/** Throws DETACHED when the view's buffer was transferred, or was resized so that the view is out of bounds. */
export function checkAttached(name: string, view: ArrayBufferView): void {
  try {
    // Constructing a view throws on a detached buffer on every Node version; `detached` exists from Node 22 on.
    new Uint8Array(view.buffer as ArrayBuffer, 0, 0);
  } catch {
    throw new QgemmError(
      'ERR_QGEMM_DETACHED',
      `${name} must be attached to its buffer, but the buffer was transferred or detached`,
    );
  }
  // A view that a shrinking resize left out of bounds has byteOffset 0 and byteLength 0 like a legal empty view of a
  // resizable buffer; the typed array iteration protocol tells them apart by throwing.
  try {
    (view as Uint8Array).keys?.();
  } catch {
    throw new QgemmError(
      'ERR_QGEMM_DETACHED',
      `${name} must lie within its buffer, but the buffer was resized under it`,
    );
  }
}

/** Checks the number of elements of a typed array against what the shapes ask for. */
export function checkLength(name: string, view: { readonly length: number }, expected: number, why: string): void {
  if (view.length !== expected) {
    throw new QgemmError('ERR_QGEMM_SHAPE', `${name} must have ${expected} elements (${why}), got ${view.length}`);
  }
}

/**
 * Checks a shape: an array of integers >= 0, none missing, whose product is a safe integer. Returns the product, and a copy:
 * getters of the caller's array run once.
 */
export function checkShape(name: string, shape: unknown): { shape: readonly number[]; size: number } {
  if (!Array.isArray(shape)) fail('ERR_QGEMM_ARGUMENT', name, 'an array of integers', shape);
  const dims: number[] = [];
  let size = 1;
  for (let i = 0; i < shape.length; i++) {
    const dim = checkInteger(`${name}[${i}]`, shape[i], 0);
    dims.push(dim);
    size *= dim;
  }
  if (!Number.isSafeInteger(size)) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${name} must describe fewer than 2^53 elements, got ${show(dims)}`);
  }
  return { shape: dims, size };
}
