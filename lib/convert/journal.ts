import { createHash } from 'node:crypto';
import type { OutputLayout } from '../formats/writer.js';
import { writeAllSync, type FileSystem } from './file-system.js';

/** A step whose bytes are all in the temporary file. */
export interface JournalEntry {
  /** Index into the files and steps of the layout. */
  readonly file: number;
  readonly step: number;
  /** Of the bytes of this step. */
  readonly sha256: string;
}

/**
 * What of a temporary file is complete, as lines of JSON: the identity of the conversion, then one line per step. Lines are
 * only ever appended; a last line that was cut short does not count.
 */
export class Journal {
  readonly #fileSystem: FileSystem;
  readonly #fd: number;
  #size = 0;

  /** Creates the journal, or writes it anew with the entries that were found to hold. */
  constructor(fileSystem: FileSystem, path: string, identity: string, entries: readonly JournalEntry[]) {
    this.#fileSystem = fileSystem;
    this.#fd = fileSystem.openSync(path, 'w');
    try {
      this.#append({ qgemm: 'journal', version: 1, identity });
      for (const entry of entries) this.#append(entry);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  add(entry: JournalEntry): void {
    this.#append(entry);
  }

  close(): void {
    this.#fileSystem.closeSync(this.#fd);
  }

  #append(value: object): void {
    const line = Buffer.from(`${JSON.stringify(value)}\n`);
    writeAllSync(this.#fileSystem, this.#fd, line, this.#size);
    this.#size += line.length;
  }
}

/** The steps that a journal calls complete, in order; none where it belongs to another conversion or cannot be read. */
export function readJournal(fileSystem: FileSystem, path: string, identity: string): JournalEntry[] {
  let lines: string[];
  try {
    lines = fileSystem.readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
  const [first, ...rest] = lines.map(parseLine);
  if (first?.['identity'] !== identity || first['version'] !== 1) return [];
  const entries: JournalEntry[] = [];
  for (const entry of rest) {
    if (typeof entry?.['file'] !== 'number' || typeof entry['step'] !== 'number') break;
    if (typeof entry['sha256'] !== 'string') break;
    entries.push({ file: entry['file'], step: entry['step'], sha256: entry['sha256'] });
  }
  return entries;
}

function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** What must be the same for a conversion to go on where another stopped: the sources, the settings, and every step. */
export function conversionIdentity(sources: readonly string[], settings: object, layout: OutputLayout): string {
  const hash = createHash('sha256').update(JSON.stringify([sources, settings]));
  for (const { name, steps } of layout.files) {
    hash.update(JSON.stringify([name, steps.length]));
    for (const step of steps) hash.update(JSON.stringify([step.name, step.byteLength]));
  }
  return hash.digest('hex');
}
