import { QgemmError, show } from '../../errors.js';
import { dtypeBits } from '../dtypes.js';
import { readBytes, type ByteSource } from '../file.js';
import { MAX_PICKLE_BYTES } from '../limits.js';
import type { PickleRules } from './pickle-machine.js';
import { unpickle } from './pickle.js';
import { PickleDict, PickleList, type PickleValue } from './pickle-values.js';
import { checkpointOf, type TorchCheckpoint } from './checkpoint.js';
import { torchRules } from './globals.js';
import { TorchStorage } from './values.js';

/** A pickle of protocol 2 that holds 0x1950a86a20f9469cfc6c. */
const MAGIC = Uint8Array.of(0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e);
const PROTOCOL = 1001;
const COUNT_BYTES = 8;

export function isTorchLegacy(start: Uint8Array): boolean {
  return start.length >= MAGIC.length && MAGIC.every((byte, i) => start[i] === byte);
}

/**
 * A checkpoint as `torch.save` wrote it before 1.6: one pickle after another (magic number, protocol, system, objects, keys
 * of storages), then for each key, in that order, the number of elements and the elements.
 *
 * @throws QgemmError PICKLE, FORMAT, LIMIT, DTYPE
 */
export function readTorchLegacy(source: ByteSource): TorchCheckpoint {
  const what = show(source.path);
  const bytes = readBytes(source, 0, Math.min(source.size, MAX_PICKLE_BYTES));
  const storages = new Map<string, TorchStorage>();
  const rules = noting(torchRules(what), storages);
  let position = MAGIC.length;
  const next = (): PickleValue => {
    const { value, end } = unpickle(bytes, position, rules);
    position = end;
    return value;
  };
  const protocol = next();
  if (protocol !== PROTOCOL) throw formatError(what, `must have protocol ${PROTOCOL}, got ${show(protocol)}`);
  const system = next();
  if (system instanceof PickleDict && system.entries.get('little_endian') === false) {
    throw formatError(what, 'must hold little-endian tensors: save it again on a little-endian machine');
  }
  const root = next();
  const places = placesOf(what, source, next(), storages, () => position);
  return checkpointOf(what, source.size, root, ({ storage: { key, type, start, elements } }) => {
    const place = places.get(key);
    const size = ((start + elements) * dtypeBits(type.dtype)) / 8;
    if (place === undefined || place.size < size) {
      const found = place === undefined ? 'does not list it' : `lists ${place.size}`;
      throw formatError(what, `must hold ${size} bytes of storage ${show(key)}, but ${found}`);
    }
    const readInto = (target: Uint8Array, at: number): void => source.readInto(target, place.offset + at);
    return { path: source.path, size: place.size, readInto };
  });
}

/** Remembers the storages that the objects refer to: their element types are said nowhere else. */
function noting(rules: PickleRules, storages: Map<string, TorchStorage>): PickleRules {
  return {
    ...rules,
    load: (id) => {
      const storage = rules.load(id);
      if (storage instanceof TorchStorage) storages.set(storage.key, storage);
      return storage;
    },
  };
}

interface Place {
  offset: number;
  size: number;
}

/** Where the bytes of each storage lie. */
function placesOf(
  what: string,
  source: ByteSource,
  keys: PickleValue,
  storages: ReadonlyMap<string, TorchStorage>,
  start: () => number,
): Map<string, Place> {
  if (!(keys instanceof PickleList)) throw formatError(what, 'must list the keys of its storages');
  const places = new Map<string, Place>();
  let position = start();
  for (const key of keys.items) {
    const storage = storages.get(String(key));
    if (storage === undefined || places.has(storage.key)) {
      throw formatError(
        what,
        `must list every storage once, but has ${show(key)} ${storage ? 'twice' : 'without a tensor'}`,
      );
    }
    if (position + COUNT_BYTES > source.size) throw formatError(what, `is truncated before storage ${show(key)}`);
    const count = new DataView(readBytes(source, position, COUNT_BYTES).buffer).getBigUint64(0, true);
    const size = (Number(count) * dtypeBits(storage.type.dtype)) / 8;
    places.set(storage.key, { offset: position + COUNT_BYTES, size });
    position += COUNT_BYTES + size;
    if (position > source.size) {
      throw formatError(what, `must hold ${size} bytes of storage ${show(key)}, but is truncated`);
    }
  }
  if (position !== source.size) throw formatError(what, `has ${source.size - position} bytes after its last storage`);
  return places;
}

function formatError(what: string, problem: string): QgemmError {
  return new QgemmError('ERR_QGEMM_FORMAT', `${what} ${problem}`);
}
