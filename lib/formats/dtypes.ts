/** Bits per element of every dtype of the safetensors format, in the format's own spelling. */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** A dtype as safetensors spells it: `F32`, `F16`, `BF16`, `I8`, ... */
export type Dtype = keyof typeof BITS;

const TABLE: ReadonlyMap<string, number> = new Map(Object.entries(BITS));

/** Whether `value` names a dtype. Looks in a Map, so that names like `__proto__` are no trap. */
export function isDtype(value: unknown): value is Dtype {
  return typeof value === 'string' && TABLE.has(value);
}

/** Bits per element. */
export function dtypeBits(dtype: Dtype): number {
  return BITS[dtype];
}

/** Bytes of `elements` elements, or undefined when they do not fill whole bytes or are not a safe integer. */
export function dtypeBytes(dtype: Dtype, elements: number): number | undefined {
  const bits = elements * BITS[dtype];
  return Number.isSafeInteger(bits) && bits % 8 === 0 ? bits / 8 : undefined;
}

/** The dtypes that weights may have to be packed: the native core converts them to float32 exactly. */
export function isFloat(dtype: Dtype): dtype is 'F32' | 'F16' | 'BF16' {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/** Product of a shape, which is exact when it is a safe integer. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}
