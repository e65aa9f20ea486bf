/** Names come from files: control characters must not reach a terminal. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Bytes in decimal units, three digits: `4.20 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** `1 tensor`, `2 tensors`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Seconds as `0.42 s`, `12.3 s` or `3:05`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 100) return `${seconds.toPrecision(seconds < 1 ? 2 : 3)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

export interface Column<Row> {
  title: string;
  value: (row: Row) => string;
  /** Numbers are set to the right. */
  right?: boolean;
}

/** A table of plain text, as wide as its content. */
export function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ value }) => value(row)))];
  const widths = columns.map((_, index) => cells.reduce((width, line) => Math.max(width, line[index]!.length), 0));
  return cells
    .map((line) => {
      const padded = line.map((cell, index) =>
        columns[index]!.right ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!),
      );
      return padded.join('  ').trimEnd();
    })
    .join('\n');
}

/** JSON on one line. Numbers that JSON does not know become strings; Maps become objects. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === 'number' && !Number.isFinite(item)) return String(item);
    return item instanceof Map ? Object.fromEntries(item) : item;
  });
}
