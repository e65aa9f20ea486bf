import { bytesHeader } from './protobuf-encode.js';
import type { ProtoField, Span } from './protobuf.js';
import type { OutputStep } from '../writer.js';

/** Bytes of an output: as they are, copied from the source, or made when their turn comes. */
export type Chunk = Uint8Array | Span | OutputStep;

/** A range of a message that is replaced; an empty range is a place where chunks are inserted. */
export interface ProtoEdit extends Span {
  /** The fields that the range is in, outermost first: their lengths change. */
  readonly enclosing: readonly ProtoField[];
  readonly chunks: readonly Chunk[];
}

function chunkLength(chunk: Chunk): number {
  return 'start' in chunk ? chunk.end - chunk.start : chunk.byteLength;
}

export function totalLength(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, chunk) => sum + chunkLength(chunk), 0);
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
