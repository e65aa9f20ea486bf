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

/** Shows any value in an error message: short, on one line, never throwing. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (ArrayBuffer.isView(value)) {
    const length = 'length' in value ? `(${String(value.length)})` : '';
    return `${value.constructor.name}${length}`;
  }
  if (Array.isArray(value)) return `[${value.slice(0, 8).map(show).join(', ')}${value.length > 8 ? ', ...' : ''}]`;
  if (typeof value === 'object' && value !== null) {
    const name: unknown = value.constructor?.name;
    return typeof name === 'string' && name !== 'Object' ? name : 'an object';
  }
  return Object.is(value, -0) ? '-0' : String(value);
}
