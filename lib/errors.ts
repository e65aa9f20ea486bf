/** The stable codes of {@link QgemmError}. What each means is in docs/errors.md. */
export type QgemmErrorCode =
  | 'ERR_QGEMM_ARGUMENT'
  | 'ERR_QGEMM_SHAPE'
  | 'ERR_QGEMM_DTYPE'
  | 'ERR_QGEMM_RANGE'
  | 'ERR_QGEMM_DETACHED'
  | 'ERR_QGEMM_DISPOSED'
  | 'ERR_QGEMM_FORMAT'
  | 'ERR_QGEMM_LIMIT'
  | 'ERR_QGEMM_PATH'
  | 'ERR_QGEMM_PICKLE'
  | 'ERR_QGEMM_QUEUE_FULL'
  | 'ERR_QGEMM_ISA'
  | 'ERR_QGEMM_ADDON'
  | 'ERR_QGEMM_OUT_OF_MEMORY'
  | 'ERR_QGEMM_IO';

/**
 * The one error class of this package. `code` is stable; `message` is one sentence that names the
 * argument, what was expected, and the value that was given.
 */
export class QgemmError extends Error {
  readonly code: QgemmErrorCode;

  constructor(code: QgemmErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'QgemmError';
    this.code = code;
  }
}

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text);

/** Shows any value in an error message: short, on one line, never throwing. */
export const show = (value: unknown): string => showAt(value, 0);

function showAt(value: unknown, depth: number): string {
  try {
    return describe(value, depth);
  } catch {
    return typeof value === 'function' ? 'a function' : 'an object'; // getters that throw, revoked proxies
  }
}

function describe(value: unknown, depth: number): string {
  if (typeof value === 'string') return JSON.stringify(shorten(value));
  if (typeof value === 'bigint') return shorten(`${value}n`);
  if (typeof value === 'function') return `function ${shorten(value.name) || '(anonymous)'}`;
  if (ArrayBuffer.isView(value)) {
    const length = 'length' in value ? `(${String(value.length)})` : '';
    return `${nameOfClass(value) ?? 'a view'}${length}`;
  }
  if (Array.isArray(value)) {
    if (depth === 3) return '[...]';
    const some = value.slice(0, 8).map((item) => showAt(item, depth + 1));
    return `[${some.join(', ')}${value.length > 8 ? ', ...' : ''}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const name = nameOfClass(value);
    return name === undefined || name === 'Object' ? 'an object' : name;
  }
  return Object.is(value, -0) ? '-0' : shorten(String(value));
}

function nameOfClass(value: object): string | undefined {
  const name: unknown = (value.constructor as { name?: unknown } | null | undefined)?.name;
  return typeof name === 'string' && name !== '' ? shorten(name) : undefined;
}
