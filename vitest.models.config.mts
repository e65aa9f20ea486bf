import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/models/**/*.test.ts'], pool: 'forks', testTimeout: 300_000, maxWorkers: 2 },
});
