import { defineConfig } from 'vitest/config';

// scripts/test-isas.mjs runs the suite on CPUs that this machine is not: test processes then start through a launcher
// (qemu and a Node of that architecture), while vitest itself, with its own native parts, runs as usual.
const launcher = process.env['QGEMM_TEST_LAUNCHER'];
if (launcher) process.execPath = launcher;

// Worker processes (not threads) so that a test that brings its process down is reported by name.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They need Python packages, or a browser: npm run test:interop, test:models, test:vllm, test:browser.
    exclude: ['test/interop/**', 'test/models/**', 'test/vllm/**', 'test/browser/**'],
    setupFiles: ['test/setup/launcher.ts'],
    pool: 'forks',
    testTimeout: launcher ? 300_000 : 60_000,
    maxWorkers: 2,
  },
});
