import { QgemmError, show } from '../errors.js';
import type { FileSource } from './file.js';
import { isNumpyArchive, openNumpyArchive } from './numpy/npz.js';
import { torchModel } from './pytorch/reader.js';
import { isTorchArchive, readTorchArchive } from './pytorch/zip.js';
import type { ModelSource } from './source.js';
import { readZip } from './zip.js';

/** Zip archives hold models of several formats, known by the files in them. */
export function openArchive(path: string, file: FileSource): ModelSource {
  const entries = readZip(file);
  if (isTorchArchive(entries)) return torchModel('pytorch', path, [file], readTorchArchive(file, entries));
  if (isNumpyArchive(entries)) return openNumpyArchive(path, file, entries);
  throw new QgemmError(
    'ERR_QGEMM_FORMAT',
    `zip archive ${show(file.path)} must be a PyTorch checkpoint (with data.pkl) or hold .npy files only, but is neither`,
  );
}
