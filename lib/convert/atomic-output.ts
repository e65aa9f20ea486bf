import { createHash } from 'node:crypto';
import { realpathSync, type Stats } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { QgemmError, show } from '../errors.js';
import { ioError } from '../formats/file.js';
import { CHUNK_BYTES } from '../formats/limits.js';
import type { OutputLayout } from '../formats/writer.js';
import { nodeFileSystem, writeAll, type FileSystem } from './file-system.js';
import { Journal, readJournal, type JournalEntry } from './journal.js';
import { JOURNAL_SUFFIX, removeTemporary, staleTemporaries, temporaryPath } from './temporary.js';

/** Outputs that are being written by this process: removed when it exits in the middle. */
const unfinished = new Set<AtomicOutput>();
let watchesExit = false;

export interface AtomicOptions {
  /** Whether the output is a folder. */
  readonly folder: boolean;
  readonly layout: OutputLayout;
  /** See `conversionIdentity`. */
  readonly identity: string;
  /** Whether to go on where a process that was killed has stopped. */
  readonly resume: boolean;
  readonly fileSystem?: FileSystem;
}

/**
 * A file or folder that appears complete or not at all. Bytes go to a temporary one beside it, and a journal says which
 * steps are complete; `commit` syncs and renames, `abort` removes. What was there before stays untouched until the rename.
 */
export class AtomicOutput {
  readonly path: string;
  readonly #options: AtomicOptions;
  readonly #fileSystem: FileSystem;
  readonly #temporary: string;
  readonly #mode: number | undefined;
  #complete: JournalEntry[] = [];
  #journal: Journal | undefined;
  #file = -1;
  #fd = -1;
  #position = 0;
  #bytes = 0;
  #hash = createHash('sha256');

  private constructor(path: string, options: AtomicOptions) {
    this.#options = options;
    this.#fileSystem = options.fileSystem ?? nodeFileSystem;
    const existing = this.#check(path);
    // A link stays a link: the file that it points at is replaced.
    this.path = existing === undefined ? resolve(path) : realpathSync(path);
    this.#mode = existing?.mode;
    this.#temporary = temporaryPath(this.path);
  }

  /** @throws QgemmError IO (as a rejection) */
  static async open(path: string, options: AtomicOptions): Promise<AtomicOutput> {
    const output = new AtomicOutput(path, options);
    unfinished.add(output);
    watchExit();
    try {
      output.#complete = await output.#adoptStale();
      await output.#guard(() => output.#start());
    } catch (error) {
      output.abort();
      throw error;
    }
    return output;
  }

  /** Where the output lies before `commit`. Complete once every step is written. */
  get temporary(): string {
    return this.#temporary;
  }

  /** Bytes of the whole output so far. */
  get size(): number {
    return this.#bytes;
  }

  /** Goes to the next file of the layout. */
  async beginFile(index: number): Promise<void> {
    if (index === this.#file) return;
    await this.#guard(async () => {
      await this.#finishFile();
      this.#open(index);
    });
  }

  /** Whether a step was complete when the process that this one follows was killed. Then it is passed over. */
  skip(step: number): boolean {
    const next = this.#complete[0];
    if (next?.file !== this.#file || next.step !== step) return false;
    this.#complete.shift();
    const { byteLength } = this.#options.layout.files[this.#file]!.steps[step]!;
    this.#position += byteLength;
    this.#bytes += byteLength;
    return true;
  }

  /** Appends. The bytes must stay as they are until the promise settles; the event loop runs meanwhile. */
  async write(bytes: Uint8Array): Promise<void> {
    const written = writeAll(this.#fileSystem, this.#fd, bytes, this.#position);
    this.#hash.update(bytes); // while another thread writes
    try {
      await written;
    } catch (error) {
      throw ioError('write', this.path, error);
    }
    this.#position += bytes.length;
    this.#bytes += bytes.length;
  }

  /** Says that all bytes of a step were written. */
  async endStep(step: number): Promise<void> {
    const sha256 = this.#hash.digest('hex');
    this.#hash = createHash('sha256');
    await this.#guard(() => this.#journal!.add({ file: this.#file, step, sha256 }));
  }

  /** Makes the output appear under its name, on the disk and in its folder. Until it does, `signal` can stop it. */
  async commit(signal?: AbortSignal): Promise<void> {
    await this.#guard(async () => {
      await this.#finishFile();
      if (this.#options.folder) await this.#syncFolders();
      this.#closeJournal();
    });
    signal?.throwIfAborted();
    await this.#guard(() => this.#fileSystem.rename(this.#temporary, this.path));
    unfinished.delete(this);
    removeTemporary(this.#fileSystem, this.#temporary);
    await this.#guard(() => syncFolder(this.#fileSystem, dirname(this.path)));
  }

  /** Removes what was written. Does nothing after `commit`. */
  abort(): void {
    if (!unfinished.delete(this)) return;
    try {
      this.#closeFile();
      this.#closeJournal();
    } catch {
      // The bytes are not wanted any more.
    }
    removeTemporary(this.#fileSystem, this.#temporary);
  }

  #check(path: string): Stats | undefined {
    const { folder } = this.#options;
    let stats: Stats;
    try {
      stats = this.#fileSystem.statSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw ioError('write', path, error);
    }
    if (!folder && !stats.isFile()) {
      throw new QgemmError('ERR_QGEMM_IO', `cannot write ${show(path)}: it exists and is not a regular file`);
    }
    // Two folders cannot be exchanged in one step: with a folder that has files, a crash could leave neither.
    if (folder && !(stats.isDirectory() && this.#fileSystem.readdirSync(path).length === 0)) {
      throw new QgemmError('ERR_QGEMM_IO', `cannot write ${show(path)}: it must be a new or an empty folder`);
    }
    return stats;
  }

  /** Removes what killed processes have left, except, under `resume`, what this conversion can go on with. */
  async #adoptStale(): Promise<JournalEntry[]> {
    let adopted: JournalEntry[] = [];
    for (const stale of staleTemporaries(this.#fileSystem, this.path)) {
      if (this.#options.resume && adopted.length === 0) adopted = await this.#adopt(stale);
      removeTemporary(this.#fileSystem, stale);
    }
    return adopted;
  }

  async #adopt(stale: string): Promise<JournalEntry[]> {
    const entries = readJournal(this.#fileSystem, stale + JOURNAL_SUFFIX, this.#options.identity);
    try {
      const holding = await this.#verified(stale, entries);
      if (holding.length === 0) return [];
      this.#fileSystem.renameSync(stale, this.#temporary);
      return holding;
    } catch {
      return []; // it cannot be read: the conversion begins anew
    }
  }

  /** The leading entries whose bytes are there: after a loss of power, a journal may know more than the file holds. */
  async #verified(stale: string, entries: readonly JournalEntry[]): Promise<JournalEntry[]> {
    const { files } = this.#options.layout;
    const holding: JournalEntry[] = [];
    let next = 0;
    for (const [file, { steps }] of files.entries()) {
      if (entries[next]?.file !== file) break;
      const fd = this.#fileSystem.openSync(this.#pathOf(stale, file), 'r');
      try {
        let position = 0;
        for (const [step, { byteLength }] of steps.entries()) {
          const entry = entries[next];
          if (entry?.file !== file || entry.step !== step) return holding;
          if ((await hashRange(this.#fileSystem, fd, position, byteLength)) !== entry.sha256) return holding;
          position += byteLength;
          holding.push(entry);
          next += 1;
        }
      } finally {
        this.#fileSystem.closeSync(fd);
      }
    }
    return holding;
  }

  #start(): void {
    this.#journal = new Journal(
      this.#fileSystem,
      this.#temporary + JOURNAL_SUFFIX,
      this.#options.identity,
      this.#complete,
    );
    this.#open(0);
  }

  #open(index: number): void {
    // A file that was begun is gone on with: whatever follows its last complete step is written again, byte for byte.
    const exists = this.#complete.some(({ file }) => file === index);
    const path = this.#pathOf(this.#temporary, index);
    if (this.#options.folder) this.#fileSystem.mkdirSync(dirname(path), { recursive: true });
    this.#fd = this.#fileSystem.openSync(path, exists ? 'r+' : 'w');
    this.#file = index;
    this.#position = 0;
    if (!this.#options.folder && this.#mode !== undefined) this.#fileSystem.fchmodSync(this.#fd, this.#mode & 0o777);
  }

  #pathOf(temporary: string, file: number): string {
    return this.#options.folder ? join(temporary, this.#options.layout.files[file]!.name) : temporary;
  }

  async #finishFile(): Promise<void> {
    if (this.#fd < 0) return;
    this.#fileSystem.ftruncateSync(this.#fd, this.#position);
    await this.#fileSystem.fsync(this.#fd);
    this.#closeFile();
  }

  #closeFile(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    this.#fileSystem.closeSync(fd);
  }

  async #syncFolders(): Promise<void> {
    const paths = this.#options.layout.files.map((_, index) => dirname(this.#pathOf(this.#temporary, index)));
    for (const path of new Set(paths)) await syncFolder(this.#fileSystem, path);
  }

  #closeJournal(): void {
    const journal = this.#journal;
    this.#journal = undefined;
    journal?.close();
  }

  async #guard(action: () => void | Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      throw ioError('write', this.path, error);
    }
  }
}

async function hashRange(
  fileSystem: FileSystem,
  fd: number,
  position: number,
  length: number,
): Promise<string | undefined> {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, length));
  for (let done = 0; done < length;) {
    const count = fileSystem.readSync(fd, buffer, 0, Math.min(buffer.length, length - done), position + done);
    if (count === 0) return undefined;
    hash.update(buffer.subarray(0, count));
    done += count;
    await setImmediate();
  }
  return hash.digest('hex');
}

/** A rename lasts only when the folder is synced. Windows has no such call. */
async function syncFolder(fileSystem: FileSystem, folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const fd = fileSystem.openSync(folder, 'r');
  try {
    await fileSystem.fsync(fd);
  } finally {
    fileSystem.closeSync(fd);
  }
}

function watchExit(): void {
  if (watchesExit) return;
  watchesExit = true;
  process.on('exit', () => {
    for (const output of [...unfinished]) output.abort();
  });
}
