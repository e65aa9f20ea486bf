import { printable } from '../cli/text.js';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for HTML, in elements and in quoted attributes. Names come from files: control characters are shown as escapes. */
export function escapeHtml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/**
 * A name from a file, which may be broken after its separators. Isolated, so that one written right to left does not turn
 * around what stands beside it.
 */
export function nameHtml(name: string): string {
  const parts = name.split(/(?<=[./_-])/);
  return `<bdi>${parts.map(escapeHtml).join('<wbr>')}</bdi>`;
}

export function decibels(value: number): string {
  if (Number.isNaN(value)) return 'not comparable';
  return value === Infinity ? 'exact' : `${value.toFixed(2)} dB`;
}

/** Three digits, without an exponent where that is readable. */
export function short(value: number): string {
  const text = value.toPrecision(3);
  return text.replace('-', '\u2212');
}
