// Tests that start child processes use process.execPath: under an emulator those have to start through it too.
const launcher = process.env['QGEMM_TEST_LAUNCHER'];
if (launcher) process.execPath = launcher;
