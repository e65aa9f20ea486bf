// Runs JavaScript in a process of its own, where a crash is an exit code and not the end of the test run.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export const root: string = join(__dirname, '..', '..');

export interface ChildResult {
  /** The exit code, or null when a signal ended the process. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface ChildOptions {
  env?: Record<string, string>;
  nodeArguments?: readonly string[];
  /** Whether the script starts with `qgemm` loaded. Default true. */
  loadPackage?: boolean;
  /** Called once the process has written this line. */
  onLine?: (line: string, kill: (signal: NodeJS.Signals) => void) => void;
}

/**
 * Runs `code` as a CommonJS script in which `qgemm` is this package, built.
 */
export function runChild(code: string, options: ChildOptions = {}): Promise<ChildResult> {
  const preamble = `'use strict'; const qgemm = require(${JSON.stringify(root)});\n`;
  const script = (options.loadPackage === false ? '' : preamble) + code;
  const nodeArguments = [...(options.nodeArguments ?? []), '-e', script];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, nodeArguments, { cwd: root, env: { ...process.env, ...options.env } });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      for (const line of text.split('\n')) options.onLine?.(line, (signal) => child.kill(signal));
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({ code: exitCode, signal, stdout, stderr }));
  });
}
