import { defineConfig } from 'vitest/config';

// Worker processes (not threads) so that a test that brings its process down is reported by name.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    maxWorkers: 2,
  },
});
