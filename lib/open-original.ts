import { QgemmError, show } from './errors.js';
import { openModel } from './formats/open.js';
import { isPacked } from './formats/packed/reader.js';
import type { ModelSource } from './formats/source.js';

/**
 * Opens a model that `convert` has not made.
 *
 * @throws QgemmError IO, FORMAT, LIMIT, PATH, DTYPE
 */
export function openOriginal(path: string): ModelSource {
  const source = openModel(path);
  if (!isPacked(source.metadata)) return source;
  source.close();
  throw new QgemmError(
    'ERR_QGEMM_FORMAT',
    `${show(path)} must be an original model, but is a file made by qgemm convert`,
  );
}
