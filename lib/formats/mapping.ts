import { QgemmError } from '../errors.js';
import { native } from '../native.js';
import type { NativeMapping } from '../native-types.js';
import { FileSource, ioError, type ByteSource } from './file.js';

/** A file that the native core has mapped, or read into memory of its own. */
export class MappedFile implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly handle: NativeMapping;

  /** @throws QgemmError IO */
  constructor(path: string, map: boolean) {
    this.path = path;
    new FileSource(path).release(); // what cannot be opened is refused in the same words as by every other function
    this.handle = mapFile(path, map);
    this.size = native.mappingSize(this.handle);
  }

  readInto(target: Uint8Array, position: number): void {
    target.set(native.mappingRead(this.handle, position, target.length));
  }

  /** Lets go of the file; weights that were made from it keep it. */
  close(): void {
    native.mappingClose(this.handle);
  }
}

/** Native code gives the reason alone. */
function mapFile(path: string, map: boolean): NativeMapping {
  try {
    return native.mapFile(path, map);
  } catch (error) {
    throw error instanceof QgemmError && error.code === 'ERR_QGEMM_IO' ? ioError('read', path, error) : error;
  }
}
