import { defineConfig } from 'vitest/config';
export default defineConfig({ test: { include: ['test/aws/**/*.test.ts', 'src/**/*.aws.test.ts'], pool: 'forks', maxWorkers: 2, testTimeout: 240_000, hookTimeout: 240_000 } });
