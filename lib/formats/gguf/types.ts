import type { Dtype } from '../dtypes.js';

/** How the values of a GGUF tensor are stored. */
export interface GgufType {
  /** The number that stands for it in a file. */
  readonly id: number;
  /** As ggml spells it. */
  readonly name: string;
  /** Neighbouring values of a row that share a block; 1 for plain numbers. */
  readonly blockElements: number;
  readonly blockBytes: number;
  /** What plain numbers are in safetensors; undefined for block formats, which are read as F32. */
  readonly plain?: Dtype;
}

const plain = (id: number, name: Dtype, blockBytes: number): GgufType => ({
  id,
  name,
  blockElements: 1,
  blockBytes,
  plain: name,
});
const blocks = (id: number, name: string, blockElements: number, blockBytes: number): GgufType => ({
  id,
  name,
  blockElements,
  blockBytes,
});

/** The types that are read. The native core decodes the block formats. */
const TYPES: readonly GgufType[] = [
  plain(0, 'F32', 4),
  plain(1, 'F16', 2),
  blocks(2, 'Q4_0', 32, 18),
  blocks(3, 'Q4_1', 32, 20),
  blocks(6, 'Q5_0', 32, 22),
  blocks(7, 'Q5_1', 32, 24),
  blocks(8, 'Q8_0', 32, 34),
  blocks(10, 'Q2_K', 256, 84),
  blocks(11, 'Q3_K', 256, 110),
  blocks(12, 'Q4_K', 256, 144),
  blocks(13, 'Q5_K', 256, 176),
  blocks(14, 'Q6_K', 256, 210),
  blocks(15, 'Q8_K', 256, 292),
  blocks(16, 'IQ2_XXS', 256, 66),
  blocks(17, 'IQ2_XS', 256, 74),
  blocks(18, 'IQ3_XXS', 256, 98),
  blocks(19, 'IQ1_S', 256, 50),
  blocks(20, 'IQ4_NL', 32, 18),
  blocks(21, 'IQ3_S', 256, 110),
  blocks(22, 'IQ2_S', 256, 82),
  blocks(23, 'IQ4_XS', 256, 136),
  plain(24, 'I8', 1),
  plain(25, 'I16', 2),
  plain(26, 'I32', 4),
  plain(27, 'I64', 8),
  plain(28, 'F64', 8),
  blocks(29, 'IQ1_M', 256, 56),
  plain(30, 'BF16', 2),
  blocks(34, 'TQ1_0', 256, 54),
  blocks(35, 'TQ2_0', 256, 66),
  blocks(39, 'MXFP4', 32, 17),
  blocks(40, 'NVFP4', 64, 36),
];

/** The types that are known by name only: what no file of weights has, a new one, and formats no longer written. */
const UNREAD: ReadonlyMap<number, string> = new Map([
  [4, 'Q4_2'],
  [5, 'Q4_3'],
  [9, 'Q8_1'],
  [41, 'Q1_0'],
]);

const BY_ID: ReadonlyMap<number, GgufType> = new Map(TYPES.map((type) => [type.id, type]));
const BY_NAME: ReadonlyMap<string, GgufType> = new Map(TYPES.map((type) => [type.name, type]));

export function ggufTypeById(id: number): GgufType | undefined {
  return BY_ID.get(id);
}

/** The type of a name; undefined for dtypes that GGUF does not have. */
export function ggufTypeByName(name: string): GgufType | undefined {
  return BY_NAME.get(name);
}

/** The name of a type that is not read, for a message. */
export function unreadGgufType(id: number): string | undefined {
  return UNREAD.get(id);
}

/** Names of all types that are read, for a message. */
export const GGUF_TYPE_NAMES: readonly string[] = TYPES.map(({ name }) => name);
