import { resolve } from 'node:path';
import { QgemmError, show } from '../../errors.js';
import type { FileSource } from '../file.js';
import { npyTensor } from './npy.js';
import { NPY_START_BYTES, readNpyHeader } from './npy-header.js';
import { numpyWeights } from './npy-weights.js';
import type { ModelSource, SourceTensor } from '../source.js';
import type { ZipEntry } from '../zip.js';

const SUFFIX = '.npy';

/** Whether an archive holds arrays and nothing else. */
export function isNumpyArchive(entries: ReadonlyMap<string, ZipEntry>): boolean {
  return entries.size > 0 && [...entries.keys()].every((name) => name.endsWith(SUFFIX));
}

/** An archive of `numpy.savez` or `savez_compressed`: a .npy file for each array, named by it. */
export function openNumpyArchive(path: string, file: FileSource, entries: ReadonlyMap<string, ZipEntry>): ModelSource {
  const tensors = new Map<string, SourceTensor>();
  for (const entry of entries.values()) {
    const name = entry.name.slice(0, -SUFFIX.length);
    const what = `array ${show(name)} of ${show(file.path)}`;
    if (name === '__metadata__') throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have another name`);
    tensors.set(name, npyTensor(what, name, readNpyHeader(what, entry.start(NPY_START_BYTES)), entry.content));
  }
  return {
    format: 'npz',
    path,
    files: [resolve(file.path)],
    tensors,
    metadata: new Map(),
    ...numpyWeights(tensors),
    close: () => file.release(),
  };
}
