import { join } from 'node:path';
import { QgemmError, show } from '../errors.js';

/**
 * Joins a file name that a model file gives to the folder that the model is in. The name must stay inside: no absolute
 * path, no drive or URL, no `..`. Links are followed, since download caches consist of them.
 *
 * @throws QgemmError PATH
 */
export function containedPath(folder: string, name: string, what: string): string {
  const segments = name.split('/');
  const escapes = name === '' || /[\\:\0]/.test(name) || segments.some((segment) => segment === '' || segment === '..');
  if (escapes) {
    throw new QgemmError('ERR_QGEMM_PATH', `${what} must be a relative path inside its folder, got ${show(name)}`);
  }
  return join(folder, ...segments);
}
