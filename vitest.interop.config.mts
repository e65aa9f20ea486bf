import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/interop/**/*.test.ts'], pool: 'forks', testTimeout: 300_000, maxWorkers: 2 },
});
