import { native } from '../native.js';
import type { NativeMapping } from '../native-types.js';
import type { ByteSource } from './file.js';

/** A file that the native core has mapped, or read into memory of its own. */
export class MappedFile implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly handle: NativeMapping;

  /** @throws QgemmError IO */
  constructor(path: string, map: boolean) {
    this.path = path;
    this.handle = native.mapFile(path, map);
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
