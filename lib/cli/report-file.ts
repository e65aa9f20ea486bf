import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ioError } from '../formats/file.js';
import { reportPage } from '../report/page.js';
import type { VerifyReport } from '../verify-report.js';

/**
 * Writes the report of this command as an HTML page that appears complete or not at all.
 *
 * @throws QgemmError IO
 */
export function writeReport(path: string, report: VerifyReport): void {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 48)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    writeFileSync(temporary, reportPage(report, commandLine(process.argv.slice(2))), { flag: 'wx', flush: true });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw ioError('write', path, error);
  }
}

/** The arguments of `qgemm` as they are typed into a POSIX shell. */
export function commandLine(args: readonly string[]): string {
  const quoted = args.map((arg) => {
    return /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", String.raw`'\''`)}'`;
  });
  return ['qgemm', ...quoted].join(' ');
}
