import { QgemmError, show } from '../../errors.js';
import { dtypeBits } from '../dtypes.js';
import type { ByteSource } from '../file.js';
import { MAX_PICKLE_BYTES } from '../limits.js';
import { unpickle } from './pickle.js';
import { checkpointOf, type TorchCheckpoint } from './checkpoint.js';
import { torchRules } from './globals.js';
import type { ZipEntry } from '../zip.js';

const PICKLE = 'data.pkl';

/** Whether an archive is a checkpoint; what else it holds does not matter. */
export function isTorchArchive(entries: ReadonlyMap<string, ZipEntry>): boolean {
  return pickleName(entries) !== undefined;
}

function pickleName(entries: ReadonlyMap<string, ZipEntry>): string | undefined {
  for (const name of entries.keys()) if (name === PICKLE || /^[^/]+\/data\.pkl$/.test(name)) return name;
  return undefined;
}

/**
 * A checkpoint as `torch.save` writes it since 1.6: a zip archive with the objects in `<folder>/data.pkl` and the bytes of
 * each storage in `<folder>/data/<key>`.
 *
 * @throws QgemmError PICKLE, FORMAT, LIMIT, DTYPE
 */
export function readTorchArchive(source: ByteSource, entries: ReadonlyMap<string, ZipEntry>): TorchCheckpoint {
  const what = show(source.path);
  const name = pickleName(entries)!;
  const folder = name.slice(0, -PICKLE.length);
  const pickle = entries.get(name)!;
  if (pickle.size > MAX_PICKLE_BYTES) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `${show(name)} in ${what} must have at most ${MAX_PICKLE_BYTES} bytes, got ${pickle.size}`,
    );
  }
  checkByteOrder(what, entries.get(`${folder}byteorder`));
  const bytes = pickle.read();
  const { value, end } = unpickle(bytes, 0, torchRules(what));
  if (end !== bytes.length) {
    throw new QgemmError('ERR_QGEMM_PICKLE', `${what} has ${bytes.length - end} bytes after the end of ${show(name)}`);
  }
  return checkpointOf(what, source.size, value, ({ storage: { key, type, elements } }) => {
    const entry = entries.get(`${folder}data/${key}`);
    const size = (elements * dtypeBits(type.dtype)) / 8;
    if (entry === undefined || entry.size < size) {
      const found = entry === undefined ? 'is not there' : `has ${entry.size}`;
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `${what} must hold ${size} bytes of storage ${show(key)}, but ${show(`${folder}data/${key}`)} ${found}`,
      );
    }
    return entry.content;
  });
}

function checkByteOrder(what: string, entry: ZipEntry | undefined): void {
  if (entry === undefined) return;
  const order = entry.size <= 16 ? Buffer.from(entry.read()).toString('latin1') : `${entry.size} bytes`;
  if (order === 'little') return;
  throw new QgemmError(
    'ERR_QGEMM_FORMAT',
    `${what} must hold little-endian tensors, but its byte order is ${show(order)}: save it again on a little-endian machine`,
  );
}
