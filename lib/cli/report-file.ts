import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { checkPath } from '../check.js';
import { QgemmError, show } from '../errors.js';
import { ioError } from '../formats/file.js';
import { reportPage } from '../report/page.js';
import type { VerifyReport } from '../verify-report.js';

/**
 * Refuses a report that cannot be written, or that would replace a model, before hours of work and not after them.
 *
 * @param models - paths of the command's own inputs and output
 * @throws QgemmError IO, ARGUMENT
 */
export function checkReportPath(path: string, models: readonly string[]): void {
  checkPath('report', path);
  try {
    readdirSync(dirname(path));
  } catch (error) {
    throw ioError('write', path, error);
  }
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile()) {
    throw new QgemmError('ERR_QGEMM_IO', `cannot write ${show(path)}: it exists and is not a regular file`);
  }
  for (const model of models) {
    const other = statSync(model, { throwIfNoEntry: false });
    const same = found !== undefined && other !== undefined && found.ino === other.ino && found.dev === other.dev;
    if (same || resolve(path) === resolve(model)) {
      throw new QgemmError(
        'ERR_QGEMM_ARGUMENT',
        `report must be a file of its own, got ${show(path)}, which is a model`,
      );
    }
  }
}

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
