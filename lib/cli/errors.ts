import { CommanderError } from 'commander';
import { QgemmError } from '../errors.js';
import { printable } from './text.js';

/** A command was stopped by a signal; the exit status is the shell's convention, 128 plus the signal's number. */
export class Interrupted extends Error {
  readonly status: number;
  constructor(signal: string, number: number) {
    super(`interrupted by ${signal}: nothing was changed`);
    this.status = 128 + number;
  }
}

/** Exit status 0, and what help and version print is on standard output already. */
function isHelp(error: CommanderError): boolean {
  return error.exitCode === 0;
}

/** Prints an error as one line that starts with its code, and gives the exit status: 2 for wrong usage, else 1. */
export function reportError(error: unknown, debug: boolean): number {
  if (error instanceof CommanderError && isHelp(error)) return 0;
  const { line, status } = describe(error);
  process.stderr.write(`${printable(line.replace(/\s*\n\s*/g, ' '))}\n`);
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return status;
}

function describe(error: unknown): { line: string; status: number } {
  if (error instanceof Interrupted) return { line: error.message, status: error.status };
  if (error instanceof QgemmError) return { line: `${error.code}: ${error.message}`, status: 1 };
  if (error instanceof CommanderError) {
    const reason =
      error.code === 'commander.help'
        ? 'a command is needed (qgemm --help lists them)'
        : error.message.replace(/^error: /, '');
    return { line: `ERR_QGEMM_ARGUMENT: ${reason}`, status: 2 };
  }
  if (error instanceof RangeError && /allocation failed|Invalid typed array length/.test(error.message)) {
    return { line: `ERR_QGEMM_OUT_OF_MEMORY: ${error.message}`, status: 1 };
  }
  return {
    line: `ERR_QGEMM_INTERNAL: ${error instanceof Error ? error.message : String(error)} (a defect of qgemm: --debug shows where)`,
    status: 1,
  };
}
