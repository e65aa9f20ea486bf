import { QgemmError } from '../errors.js';
import { reportError } from './errors.js';

/**
 * What to do when nobody takes what a command says. Standard output is what the command is for, written when all else is
 * done: a reader that closes it early (`qgemm inspect FILE | head`) has what it wants, everything else (a full disk) is an
 * error. Progress on standard error is not: the work goes on without a listener, and its exit status says how it ended.
 */
export function watchStreams(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
    const message = `cannot write standard output: ${error.message.split(',')[0]}`;
    process.exit(reportError(new QgemmError('ERR_QGEMM_IO', message), false));
  });
}
