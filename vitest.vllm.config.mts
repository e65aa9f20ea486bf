import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/vllm/**/*.test.ts'], pool: 'forks', testTimeout: 600_000, maxWorkers: 1 },
});
