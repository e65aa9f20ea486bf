import type { ConvertProgress } from '../convert/options.js';
import { formatBytes, formatSeconds, printable, toJson } from './text.js';

/** Shows how far a conversion is, on standard error. */
export interface ProgressView {
  update(progress: ConvertProgress): void;
  /** Leaves the terminal as it was found. */
  end(): void;
}

/** A bar where standard error is a terminal, a line per tensor where it is not, JSON lines for machines. */
export function progressView(stream: NodeJS.WriteStream, options: { quiet?: boolean; json?: boolean }): ProgressView {
  if (options.quiet) return { update: () => undefined, end: () => undefined };
  if (options.json) return { update: (progress) => stream.write(`${toJson(progress)}\n`), end: () => undefined };
  return stream.isTTY ? bar(stream) : lines(stream);
}

function lines(stream: NodeJS.WriteStream): ProgressView {
  return {
    update: ({ tensor, tensorsDone, tensorsTotal, bytesDone, bytesTotal }) => {
      const share = bytesTotal === 0 ? 100 : (100 * bytesDone) / bytesTotal;
      stream.write(`[${tensorsDone}/${tensorsTotal}] ${share.toFixed(0)} % ${printable(tensor)}\n`);
    },
    end: () => undefined,
  };
}

const BAR_WIDTH = 24;
const REDRAW_MS = 80;

function bar(stream: NodeJS.WriteStream): ProgressView {
  const started = performance.now();
  let drawn = -Infinity;
  return {
    update: (progress) => {
      const now = performance.now();
      if (now - drawn < REDRAW_MS && progress.tensorsDone < progress.tensorsTotal) return;
      drawn = now;
      stream.write(`\r${drawBar(progress, (now - started) / 1000, stream.columns || 80)}\u001b[K`);
    },
    end: () => stream.write('\r\u001b[K'),
  };
}

/** One line of at most `columns - 1` characters: bar, share, rate, time left, tensor. */
export function drawBar(progress: ConvertProgress, seconds: number, columns: number): string {
  const { bytesDone, bytesTotal, tensor } = progress;
  const share = bytesTotal === 0 ? 1 : bytesDone / bytesTotal;
  const filled = Math.round(share * BAR_WIDTH);
  const rate = seconds > 0 ? bytesDone / seconds : 0;
  const left = rate > 0 ? formatSeconds((bytesTotal - bytesDone) / rate) : '?';
  const bar = '='.repeat(filled).padEnd(BAR_WIDTH, '.');
  const text = `[${bar}] ${(100 * share).toFixed(0).padStart(3)} %  ${formatBytes(rate)}/s  ETA ${left}  ${printable(tensor)}`;
  return text.slice(0, columns - 1);
}
