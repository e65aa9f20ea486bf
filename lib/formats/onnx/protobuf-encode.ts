import { WIRE } from './protobuf.js';

/** Tag and length of a field of bytes. */
export function bytesHeader(number: number, length: number): Uint8Array {
  return Uint8Array.from([...varint(number * 8 + WIRE.bytes), ...varint(length)]);
}

export function bytesField(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const value = Buffer.concat(parts);
  return Buffer.concat([bytesHeader(number, value.length), value]);
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
