#!/usr/bin/env node
import { Command } from 'commander';
import { addBench } from './cli/bench-command.js';
import { addConvert } from './cli/convert-command.js';
import { reportError } from './cli/errors.js';
import { addInspect } from './cli/inspect-command.js';
import { watchStreams } from './cli/streams.js';
import { addVerify } from './cli/verify-command.js';
import { version } from './version.js';

const HELP = `
Exit status:
  0    done
  1    an error: one line on standard error that starts with its code
       (docs/errors.md); verify: something is not as it should be
  2    wrong usage
  130  interrupted by Ctrl-C (143: SIGTERM, 129: SIGHUP); nothing was changed

Environment:
  QGEMM_NUM_THREADS  threads, 1 to 1024 (default: the CPUs that may be used)
  QGEMM_MAX_ISA      a ceiling for instruction sets: scalar, avx2, ...`;

function makeProgram(): Command {
  const program = new Command('qgemm');
  program
    .description('Converts the weights of models for int8 inference in Node, and says what that cost in accuracy.')
    .version(version, '-V, --version')
    .option('--debug', 'show the stack of an error')
    // Errors are thrown and printed in one place; help and version go to standard output.
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .addHelpText('afterAll', HELP);
  addConvert(program);
  addInspect(program);
  addVerify(program);
  addBench(program);
  for (const command of program.commands) command.option('--debug', 'show the stack of an error');
  return program;
}

watchStreams();
makeProgram()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = reportError(error, process.argv.includes('--debug'));
  });
