import type { ByteSource } from './file.js';
import { CHUNK_BYTES } from './limits.js';
import { WIRE, type ProtoField, type Span } from './protobuf.js';

/** Bytes of an output: as they are, copied from the source, or made when their turn comes. */
export type Chunk = Uint8Array | Span | { readonly length: number; produce(): Iterable<Uint8Array> };

/** A range of a message that is replaced; an empty range is a place where chunks are inserted. */
export interface ProtoEdit extends Span {
  /** The fields that the range is in, outermost first: their lengths change. */
  readonly enclosing: readonly ProtoField[];
  readonly chunks: readonly Chunk[];
}

export function chunkLength(chunk: Chunk): number {
  return 'start' in chunk ? chunk.end - chunk.start : chunk.length;
}

export function totalLength(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, chunk) => sum + chunkLength(chunk), 0);
}

/** The bytes of chunks, in pieces of bounded size. */
export function* chunkBytes(chunks: readonly Chunk[], source: ByteSource): Generator<Uint8Array, void> {
  for (const chunk of chunks) {
    if (chunk instanceof Uint8Array) yield chunk;
    else if ('produce' in chunk) yield* chunk.produce();
    else {
      for (let at = chunk.start; at < chunk.end; at += CHUNK_BYTES) {
        const piece = new Uint8Array(Math.min(CHUNK_BYTES, chunk.end - at));
        source.readInto(piece, at);
        yield piece;
      }
    }
  }
}

/** A message with ranges replaced; everything else is copied byte for byte, but for the lengths of what encloses a change. */
export function editMessage(message: Span, edits: readonly ProtoEdit[]): Chunk[] {
  const root: Branch = { field: undefined, edits: [], branches: new Map() };
  for (const edit of edits) {
    let branch = root;
    for (const field of edit.enclosing) {
      let inner = branch.branches.get(field);
      if (inner === undefined) branch.branches.set(field, (inner = { field, edits: [], branches: new Map() }));
      branch = inner;
    }
    branch.edits.push(edit);
  }
  return rewrite(message, root);
}

interface Branch {
  readonly field: ProtoField | undefined;
  readonly edits: ProtoEdit[];
  readonly branches: Map<ProtoField, Branch>;
}

function rewrite({ start, end }: Span, { edits, branches }: Branch): Chunk[] {
  const parts: { start: number; end: number; chunks: readonly Chunk[] }[] = [...edits];
  for (const [field, branch] of branches) {
    const inner = rewrite(field, branch);
    parts.push({
      start: field.begin,
      end: field.end,
      chunks: [bytesHeader(field.number, totalLength(inner)), ...inner],
    });
  }
  // What is inserted before a field comes before what replaces it.
  parts.sort((a, b) => a.start - b.start || a.end - b.end);
  const chunks: Chunk[] = [];
  let at = start;
  for (const part of parts) {
    if (part.start > at) chunks.push({ start: at, end: part.start });
    chunks.push(...part.chunks);
    at = part.end;
  }
  if (end > at) chunks.push({ start: at, end });
  return chunks;
}

/** Tag and length of a field of bytes. */
export function bytesHeader(number: number, length: number): Uint8Array {
  return Uint8Array.from([...varint(number * 8 + WIRE.bytes), ...varint(length)]);
}

/** A field whose value is made of chunks. */
export function bytesField(number: number, ...chunks: readonly Chunk[]): Chunk[] {
  return [bytesHeader(number, totalLength(chunks)), ...chunks];
}

export function textField(number: number, text: string): Uint8Array {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([bytesHeader(number, bytes.length), bytes]);
}

/** @param value an integer in [0, 2^53) */
export function varintField(number: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(number * 8 + WIRE.varint), ...varint(value)]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}
